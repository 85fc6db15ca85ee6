//! One MLP layer, alone.

use core::ffi::c_void;

use super::Status;
use super::object::{self, Object, Place};
use super::pointer::{In, Out, Region, read, separate};
use super::status::call;
use super::{xielu_config, xielu_gguf};
use crate::checkpoint::Checkpoint as _;
use crate::{Backend, Mlp};

/// The MLP of one layer: views of weights in a file's bytes. Opaque; it stays where it was made.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct xielu_mlp {
    _opaque: [usize; 48],
}

/// The layer and the bytes its weights lie in.
pub(super) struct Layer {
    mlp: Mlp<'static>,
    bytes: Region,
}

impl Object for xielu_mlp {
    type Value = Layer;
    const KIND: usize = 0x786d_6c70;
}

/// Hidden values that a tile asked for as `tile` holds; C's 0 is all of them.
pub(super) const fn tile_of(tile: usize) -> usize {
    if tile == 0 { usize::MAX } else { tile }
}

/// Loads the MLP of a layer, the first being 0. The gguf object is not needed afterwards, the
/// file's bytes are.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xielu_mlp_load(
    gguf: *const xielu_gguf,
    layer: usize,
    mlp: *mut xielu_mlp,
) -> Status {
    call(|| {
        // SAFETY: the module's contract.
        let file = unsafe { object::get(gguf) }?;
        let place = Place::new(mlp)?;
        separate(&[place.region()], &[file.bytes, object::region(gguf)?])?;
        let config = file.gguf.config()?;
        if layer >= config.num_layers {
            return Err(Status::Layer);
        }
        let mlp = Mlp::load(&file.gguf, &config, layer)?;
        // SAFETY: the module's contract, and the object is separate from the file.
        unsafe { place.fill(Layer { mlp, bytes: file.bytes }) };
        Ok(())
    })
}

/// Says how many bytes of scratch xielu_mlp_run takes for so many tokens, with tiles of so many
/// hidden values (a multiple of 32; 0 holds the hidden vector whole), whatever the weight types.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xielu_mlp_scratch_size(
    config: *const xielu_config,
    tile: usize,
    tokens: usize,
    size: *mut usize,
) -> Status {
    call(|| {
        let out = Out::new(size, 1)?;
        // SAFETY: the module's contract.
        let config = unsafe { read(config) }?.checked()?;
        let tile = tile_of(tile).min(config.intermediate_size);
        let len = Mlp::scratch_len(config.hidden_size, tile, tokens);
        // SAFETY: the module's contract; nothing is borrowed.
        unsafe { out.write(len.saturating_mul(size_of::<f32>())) };
        Ok(())
    })
}

/// y = mlp(x) for n values each: whole tokens of hidden_size values. tile is as in
/// xielu_mlp_scratch_size, which says how large scratch is; scratch is aligned as a float and what
/// it holds does not matter.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xielu_mlp_run(
    mlp: *const xielu_mlp,
    tile: usize,
    x: *const f32,
    y: *mut f32,
    n: usize,
    scratch: *mut c_void,
    scratch_size: usize,
) -> Status {
    call(|| {
        // SAFETY: the module's contract.
        let layer = unsafe { object::get(mlp) }?;
        let (x, y) = (In::new(x, n)?, Out::new(y, n)?);
        let scratch = Out::of_bytes(scratch, scratch_size)?;
        let reads = [x.region(), layer.bytes, object::region(mlp)?];
        separate(&[y.region(), scratch.region()], &reads)?;
        // SAFETY: the module's contract, and what is written is separate from what is read.
        let (x, y, scratch) = unsafe { (x.get(), y.get(), scratch.get()) };
        layer.mlp.forward_tiled(&Backend::default(), tile_of(tile), x, y, scratch)?;
        Ok(())
    })
}
