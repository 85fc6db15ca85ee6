//! A whole model over a file's bytes.

use core::ffi::c_void;

use super::Status;
use super::object::{self, Object, Place};
use super::pointer::{Out, Region, separate};
use super::status::call;
use super::xielu_gguf;
use crate::checkpoint::Checkpoint as _;
use crate::llama::{Layer, Model};

/// A model: views of weights in a file's bytes. Opaque; it stays where it was made.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct xielu_model {
    _opaque: [usize; 80],
}

/// The model, the bytes its weights lie in, and its array of layers.
pub(super) struct Loaded {
    pub(super) model: Model<'static, 'static>,
    pub(super) bytes: Region,
    pub(super) layers: Region,
}

impl Object for xielu_model {
    type Value = Loaded;
    const KIND: usize = 0x786d_6f64;
}

/// Finds every tensor of a model and checks its shape. layers is memory for the views, as large as
/// xielu_decoder_memory says and aligned as a pointer; the model uses it and the file's bytes as
/// long as it lives. The gguf object is not needed afterwards.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xielu_model_load(
    gguf: *const xielu_gguf,
    layers: *mut c_void,
    layers_size: usize,
    model: *mut xielu_model,
) -> Status {
    call(|| {
        // SAFETY: the module's contract.
        let file = unsafe { object::get(gguf) }?;
        let place = Place::new(model)?;
        let found = Out::<Layer<'static>>::of_bytes(layers, layers_size)?;
        let n = file.gguf.config()?.num_layers;
        if layers_size.checked_div(size_of::<Layer<'_>>()).is_none_or(|room| room < n) {
            return Err(Status::Short);
        }
        let reads = [file.bytes, object::region(gguf)?];
        separate(&[place.region(), found.region()], &reads)?;
        let out = Out::<Layer<'static>>::new(layers.cast(), n)?;
        // SAFETY: the module's contract; the memory is separate from all else. A `Layer` has bit
        // patterns that are none, so every element is written before there is a slice of them.
        unsafe { out.fill(Layer::EMPTY) };
        // SAFETY: as above, and every element is now a `Layer`.
        let model = Model::load(&file.gguf, unsafe { out.get() })?;
        // SAFETY: the module's contract, and the object is separate from all else.
        unsafe { place.fill(Loaded { model, bytes: file.bytes, layers: found.region() }) };
        Ok(())
    })
}

/// Says what the mlp_tile of a decoder's options is a multiple of: 32, or 256 where a layer's down
/// projection is of K-quants (Q4_K, Q5_K, Q6_K).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xielu_model_tile(
    model: *const xielu_model,
    multiple: *mut usize,
) -> Status {
    call(|| {
        // SAFETY: the module's contract.
        let loaded = unsafe { object::get(model) }?;
        let out = Out::new(multiple, 1)?;
        separate(&[out.region()], &[object::region(model)?, loaded.bytes, loaded.layers])?;
        // SAFETY: the module's contract, and it is separate from the model.
        unsafe { out.write(loaded.model.tile_multiple().max(crate::kernels::QK)) };
        Ok(())
    })
}
