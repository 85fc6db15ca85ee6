//! One MLP layer, alone.

use core::ffi::c_void;

use super::Status;
use super::object::{self, Object, Place};
use super::pointer::{In, Out, Region, read, separate};
use super::status::call;
use super::{xielu_activation, xielu_gguf};
use crate::checkpoint::Checkpoint as _;
use crate::checkpoint::gguf::GgmlType;
use crate::kernels::{Matrix, Shape};
use crate::mlp::MlpSizes;
use crate::{Backend, Mlp};

/// A matrix of weights in the caller's memory, at any alignment: rows of cols values each, as GGUF
/// stores them.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct xielu_matrix {
    /// The number that ggml and GGUF have for the type: F32 0, F16 1, Q4_0 2, Q8_0 8, BF16 30.
    /// Others are refused as unsupported unless this library computes with them.
    pub dtype: u32,
    /// Outputs of the projection.
    pub rows: usize,
    /// Inputs of the projection: whole blocks of the type.
    pub cols: usize,
    /// The first row.
    pub data: *const c_void,
    /// Bytes of all rows together, exactly.
    pub size: usize,
}

/// The MLP of one layer: views of weights that lie elsewhere. Opaque; it stays where it was made.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct xielu_mlp {
    _opaque: [usize; 48],
}

/// The layer and the memory its weights lie in.
pub(super) struct Layer {
    mlp: Mlp<'static>,
    weights: [Region; 3],
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
        unsafe { place.fill(Layer { mlp, weights: [file.bytes, Region::EMPTY, Region::EMPTY] }) };
        Ok(())
    })
}

impl xielu_matrix {
    /// The matrix and the memory it lies in.
    ///
    /// # Safety
    /// The module's contract.
    unsafe fn view(self) -> Result<(Matrix<'static>, Region), Status> {
        let dtype = GgmlType(self.dtype).dtype().ok_or(Status::Unsupported)?;
        let data = In::<u8>::new(self.data.cast(), self.size)?;
        // SAFETY: the module's contract: the weights outlive what is made from them.
        let matrix =
            Matrix::new(dtype, Shape { rows: self.rows, cols: self.cols }, unsafe { data.get() });
        Ok((matrix.map_err(crate::Error::from)?, data.region()))
    }
}

/// Makes an MLP of your own weights, down(f(up(x))): up is [intermediate, hidden], down is [hidden,
/// intermediate]. The matrices' data stays where it is as long as the MLP is used.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xielu_mlp_init(
    up: *const xielu_matrix,
    down: *const xielu_matrix,
    activation: *const xielu_activation,
    mlp: *mut xielu_mlp,
) -> Status {
    call(|| {
        let place = Place::new(mlp)?;
        // SAFETY: the module's contract.
        let (up, down, f) = unsafe { (read(up)?, read(down)?, read(activation)?) };
        // SAFETY: the module's contract.
        let ((up, up_data), (down, down_data)) = unsafe { (up.view()?, down.view()?) };
        let weights = [up_data, down_data, Region::EMPTY];
        separate(&[place.region()], &weights)?;
        let mlp = Mlp::new(up, down, f.checked()?)?;
        // SAFETY: the module's contract, and the object is separate from the weights.
        unsafe { place.fill(Layer { mlp, weights }) };
        Ok(())
    })
}

/// Makes a gated MLP of your own weights, down(silu(gate(x)) * up(x)): gate and up are
/// [intermediate, hidden], down is [hidden, intermediate]. As xielu_mlp_init.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xielu_mlp_init_gated(
    gate: *const xielu_matrix,
    up: *const xielu_matrix,
    down: *const xielu_matrix,
    mlp: *mut xielu_mlp,
) -> Status {
    call(|| {
        let place = Place::new(mlp)?;
        // SAFETY: the module's contract.
        let (gate, up, down) = unsafe { (read(gate)?, read(up)?, read(down)?) };
        // SAFETY: the module's contract.
        let [(gate, g), (up, u), (down, d)] = unsafe { [gate.view()?, up.view()?, down.view()?] };
        separate(&[place.region()], &[g, u, d])?;
        let mlp = Mlp::gated(gate, up, down)?;
        // SAFETY: the module's contract, and the object is separate from the weights.
        unsafe { place.fill(Layer { mlp, weights: [g, u, d] }) };
        Ok(())
    })
}

/// Bytes of scratch that xielu_mlp_run takes for so many tokens with tiles of so many hidden values
/// (a multiple of 32, or of 256 where down is of K-quants; 0 holds the hidden vector whole), whatever the weight types. SIZE_MAX is more
/// than this machine can address.
#[unsafe(no_mangle)]
pub extern "C" fn xielu_mlp_scratch_size(
    hidden_size: usize,
    intermediate_size: usize,
    tile: usize,
    tokens: usize,
) -> usize {
    let tile = tile_of(tile).min(intermediate_size);
    MlpSizes { hidden_size, tile, tokens }.scratch_len().saturating_mul(size_of::<f32>())
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
        let writes = [y.region(), scratch.region()];
        separate(&writes, &layer.weights)?;
        separate(&writes, &[x.region(), object::region(mlp)?])?;
        // SAFETY: the module's contract, and what is written is separate from what is read.
        let (x, y, scratch) = unsafe { (x.get(), y.get(), scratch.get()) };
        layer.mlp.forward_tiled(&Backend::default(), tile_of(tile), x, y, scratch)?;
        Ok(())
    })
}
