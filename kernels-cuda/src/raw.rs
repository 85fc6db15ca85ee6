//! The kernels on addresses: arguments checked as far as addresses allow.

use std::ffi::c_void;

use xielu_kernels_simd::ActivationKind;

use crate::kernel::entry_of;
use crate::launch::{STEP, TILE, grid};
use crate::{DType, Error, Kernel, Launch, RawScalars, Scalars, args};

/// Values in a Q8_0 block, and its bytes.
const QK: u64 = 32;
const BLOCK_BYTES: u64 = 34;

/// Bytes of workspace that the alphas' gradients over `n` elements need: 16 for every 8192.
pub const fn backward_workspace_len(n: u64) -> u64 {
    n.div_ceil(TILE) * 16
}

/// Kernels on addresses of device memory, launched by `L`.
///
/// Calls return once the work is queued; they allocate nothing and wait for nothing, so they can
/// be captured in a graph. Buffers may have any alignment that suits their elements; those on
/// 16-byte boundaries are fastest. An output may be the same memory as an input of the same type,
/// never a part of it.
///
/// # Safety
/// Every function here asks the caller that non-null addresses are valid on the launcher's device
/// for the stated number of elements until the work is done, that no other work writes to them or
/// reads the outputs meanwhile, and that [`Scalars::Device`] holds what [`Raw::freeze`] writes.
#[derive(Clone, Copy, Debug)]
pub struct Raw<L>(pub L);

/// Operands of [`Raw::backward`]; 0 where a gradient is not wanted.
#[derive(Clone, Copy, Debug, Default)]
pub struct Backward {
    /// What the forward function was given.
    pub x: u64,
    /// The gradient of its result.
    pub dy: u64,
    /// Where the gradient of `x` goes; may be `x` or `dy`.
    pub dx: u64,
    /// Where the gradient by the stored `alpha_p` goes, one f32.
    pub draw_p: u64,
    /// Where the gradient by the stored `alpha_n` goes, one f32.
    pub draw_n: u64,
    /// Of [`backward_workspace_len`] bytes, if one of the two is wanted; a multiple of 8.
    pub workspace: u64,
    /// Elements.
    pub n: u64,
    /// Adds to `dx` instead of replacing it.
    pub accumulate_dx: bool,
    /// Adds to `draw_p` and `draw_n` instead of replacing them.
    pub accumulate_alphas: bool,
}

/// Operands of [`Raw::swiglu_backward`].
#[derive(Clone, Copy, Debug, Default)]
pub struct SwigluBackward {
    /// As given to the forward function.
    pub gate: u64,
    /// As given to the forward function.
    pub up: u64,
    /// The gradient of its result.
    pub dy: u64,
    /// Where the gradient of `gate` goes; may be one of the inputs.
    pub d_gate: u64,
    /// Where the gradient of `up` goes; may be one of the inputs.
    pub d_up: u64,
    /// Elements.
    pub n: u64,
    /// Adds to both instead of replacing them.
    pub accumulate: bool,
}

/// A buffer of a call, for the checks.
#[derive(Clone, Copy)]
pub(crate) struct Buffer {
    name: &'static str,
    address: u64,
    bytes: u64,
}

/// Checks one buffer of `n` elements of `size` bytes.
pub(crate) fn buffer(
    name: &'static str,
    address: u64,
    n: u64,
    size: u64,
    align: u64,
) -> Result<Buffer, Error> {
    let bytes = n.checked_mul(size).ok_or(Error::TooLarge(n))?;
    if address == 0 {
        return Err(Error::Null(name));
    }
    if !address.is_multiple_of(align) {
        return Err(Error::Alignment(name));
    }
    address.checked_add(bytes).ok_or(Error::TooLarge(n))?;
    Ok(Buffer { name, address, bytes })
}

/// `n` elements of `dtype`.
fn elements(name: &'static str, address: u64, n: u64, dtype: DType) -> Result<Buffer, Error> {
    buffer(name, address, n, dtype.size(), dtype.size())
}

/// Refuses an output that shares a part of `other`; `may_equal` allows it to be `other`.
pub(crate) fn apart(out: Buffer, other: Buffer, may_equal: bool) -> Result<(), Error> {
    let same = out.address == other.address && out.bytes == other.bytes;
    let disjoint =
        out.address + out.bytes <= other.address || other.address + other.bytes <= out.address;
    if disjoint || (same && may_equal) { Ok(()) } else { Err(Error::Overlap(out.name)) }
}

/// Each of `outputs` is disjoint from the others and equal to an input or disjoint from it.
fn no_overlap(outputs: &[Buffer], inputs: &[Buffer]) -> Result<(), Error> {
    for (i, &out) in outputs.iter().enumerate() {
        inputs.iter().try_for_each(|&input| apart(out, input, true))?;
        outputs.iter().take(i).try_for_each(|&other| apart(out, other, false))?;
    }
    Ok(())
}

impl<L: Launch> Raw<L> {
    /// Runs `units` pieces of work with a kernel's argument struct.
    ///
    /// # Safety
    /// `A` is the struct that the kernel takes, its addresses valid as the kernel uses them.
    pub(crate) unsafe fn run<A>(
        &self,
        kernel: Kernel,
        entry: usize,
        units: u64,
        args: &A,
    ) -> Result<(), Error> {
        let args: *const A = args;
        // SAFETY: the caller's promise.
        unsafe { self.0.launch(kernel, entry, grid(&self.0, units), args.cast::<c_void>()) }
    }

    /// `y[i] = f(x[i])` for `n` elements; `y` may be `x`.
    ///
    /// # Errors
    /// If an address is null, misaligned or overlaps, or the launch fails.
    ///
    /// # Safety
    /// See [`Raw`].
    pub unsafe fn forward(
        &self,
        kind: ActivationKind,
        scalars: Scalars,
        dtype: DType,
        [x, y]: [u64; 2],
        n: u64,
    ) -> Result<(), Error> {
        if n == 0 {
            return Ok(());
        }
        no_overlap(&[elements("y", y, n, dtype)?], &[elements("x", x, n, dtype)?])?;
        let args = args::Forward { x, y, n, scalars: checked(scalars)?.into() };
        // SAFETY: the struct is this kernel's; the caller vouches for the addresses.
        unsafe { self.run(Kernel::forward(kind)?, entry_of(dtype), n.div_ceil(STEP), &args) }
    }

    /// `y[i] = silu(gate[i]) * up[i]` for `n` elements; `y` may be `gate` or `up`.
    ///
    /// # Errors
    /// As [`Raw::forward`].
    ///
    /// # Safety
    /// See [`Raw`].
    pub unsafe fn swiglu(
        &self,
        dtype: DType,
        [gate, up, y]: [u64; 3],
        n: u64,
    ) -> Result<(), Error> {
        if n == 0 {
            return Ok(());
        }
        let inputs = [elements("gate", gate, n, dtype)?, elements("up", up, n, dtype)?];
        no_overlap(&[elements("y", y, n, dtype)?], &inputs)?;
        let args = args::Swiglu { gate, up, y, n };
        // SAFETY: the struct is this kernel's; the caller vouches for the addresses.
        unsafe { self.run(Kernel::SwigluForward, entry_of(dtype), n.div_ceil(STEP), &args) }
    }

    /// The `n / 32` Q8_0 blocks (34 bytes each, any alignment) of `f(x[i])`, quantized from f32.
    ///
    /// # Errors
    /// If `n` is not a multiple of 32, the blocks share memory with `x`, or as [`Raw::forward`].
    ///
    /// # Safety
    /// See [`Raw`].
    pub unsafe fn forward_q8_0(
        &self,
        kind: ActivationKind,
        scalars: Scalars,
        dtype: DType,
        [x, blocks]: [u64; 2],
        n: u64,
    ) -> Result<(), Error> {
        let Some(out) = blocks_buffer(blocks, n)? else { return Ok(()) };
        apart(out, elements("x", x, n, dtype)?, false)?;
        let args = args::Forward { x, y: blocks, n, scalars: checked(scalars)?.into() };
        // SAFETY: the struct is this kernel's; the caller vouches for the addresses.
        unsafe { self.run(Kernel::q8_0(kind)?, entry_of(dtype), n.div_ceil(STEP), &args) }
    }

    /// The Q8_0 blocks of `silu(gate[i]) * up[i]`, as [`Raw::forward_q8_0`].
    ///
    /// # Errors
    /// As [`Raw::forward_q8_0`].
    ///
    /// # Safety
    /// See [`Raw`].
    pub unsafe fn swiglu_q8_0(
        &self,
        dtype: DType,
        [gate, up, blocks]: [u64; 3],
        n: u64,
    ) -> Result<(), Error> {
        let Some(out) = blocks_buffer(blocks, n)? else { return Ok(()) };
        apart(out, elements("gate", gate, n, dtype)?, false)?;
        apart(out, elements("up", up, n, dtype)?, false)?;
        let args = args::Swiglu { gate, up, y: blocks, n };
        // SAFETY: the struct is this kernel's; the caller vouches for the addresses.
        unsafe { self.run(Kernel::SwigluQ8_0, entry_of(dtype), n.div_ceil(STEP), &args) }
    }

    /// `dx[i] = dy[i] * f'(x[i])`, and the gradients by the stored alphas: `dy[i] * df/draw`
    /// summed over all elements. One pass over memory. The sums are of f32 products, added in
    /// f64 in an order that depends on `n` alone.
    ///
    /// # Errors
    /// If gradients of alphas are asked of a function without, or as [`Raw::forward`].
    ///
    /// # Safety
    /// See [`Raw`].
    pub unsafe fn backward(
        &self,
        kind: ActivationKind,
        scalars: Scalars,
        dtype: DType,
        b: &Backward,
    ) -> Result<(), Error> {
        let alphas = b.draw_p != 0 || b.draw_n != 0;
        if alphas && !kind.has_alphas() {
            return Err(Error::NoAlphas);
        }
        let scalars = checked(scalars)?;
        check_backward(b, dtype, alphas)?;
        let partials = if alphas { b.workspace } else { 0 };
        let tiles = b.n.div_ceil(TILE);
        if b.n > 0 && (b.dx != 0 || alphas) {
            let args = args::Backward {
                x: b.x,
                dy: b.dy,
                dx: b.dx,
                n: b.n,
                partials,
                scalars: scalars.into(),
                accumulate: (b.accumulate_dx && b.dx != 0).into(),
            };
            let units = if kind.has_alphas() { tiles } else { b.n.div_ceil(STEP) };
            // SAFETY: the struct is this kernel's; the caller vouches for the addresses.
            unsafe { self.run(Kernel::backward(kind)?, entry_of(dtype), units, &args) }?;
        }
        if !alphas {
            return Ok(());
        }
        let args = args::AlphaGradients {
            partials,
            tiles,
            scalars: scalars.into(),
            draw_p: b.draw_p,
            draw_n: b.draw_n,
            accumulate: b.accumulate_alphas.into(),
        };
        // SAFETY: as above.
        unsafe { self.run(Kernel::AlphaGradients, 0, 1, &args) }
    }

    /// `d_gate[i] = dy[i] * up[i] * silu'(gate[i])` and `d_up[i] = dy[i] * silu(gate[i])`.
    ///
    /// # Errors
    /// As [`Raw::forward`].
    ///
    /// # Safety
    /// See [`Raw`].
    pub unsafe fn swiglu_backward(&self, dtype: DType, b: &SwigluBackward) -> Result<(), Error> {
        let n = b.n;
        if n == 0 {
            return Ok(());
        }
        let inputs = [
            elements("gate", b.gate, n, dtype)?,
            elements("up", b.up, n, dtype)?,
            elements("dy", b.dy, n, dtype)?,
        ];
        let outputs =
            [elements("d_gate", b.d_gate, n, dtype)?, elements("d_up", b.d_up, n, dtype)?];
        no_overlap(&outputs, &inputs)?;
        let args = args::SwigluBackward {
            gate: b.gate,
            up: b.up,
            dy: b.dy,
            d_gate: b.d_gate,
            d_up: b.d_up,
            n,
            accumulate: b.accumulate.into(),
        };
        // SAFETY: the struct is this kernel's; the caller vouches for the addresses.
        unsafe { self.run(Kernel::SwigluBackward, entry_of(dtype), n.div_ceil(STEP), &args) }
    }

    /// Makes effective scalars at `out` (32 bytes) of the stored ones, on the device: what a
    /// training step needs to stay there. Computed in f64, rounded once.
    ///
    /// # Errors
    /// If the function has no alphas, or as [`Raw::forward`].
    ///
    /// # Safety
    /// See [`Raw`].
    pub unsafe fn freeze(
        &self,
        kind: ActivationKind,
        raw: &RawScalars,
        out: u64,
    ) -> Result<(), Error> {
        if !kind.has_alphas() {
            return Err(Error::NoAlphas);
        }
        elements("alpha_p", raw.alpha_p, 1, raw.dtype)?;
        elements("alpha_n", raw.alpha_n, 1, raw.dtype)?;
        checked(Scalars::Device(out))?;
        let args = args::Freeze {
            raw_p: raw.alpha_p,
            raw_n: raw.alpha_n,
            out,
            beta: raw.beta,
            eps: raw.eps,
            dtype: raw.dtype as u32,
            beta_in_alpha_n: (kind == ActivationKind::Xielu).into(),
        };
        // SAFETY: the struct is this kernel's; the caller vouches for the addresses.
        unsafe { self.run(Kernel::Freeze, 0, 1, &args) }
    }
}

/// Coefficients on the device must be where they can be read.
pub(crate) fn checked(scalars: Scalars) -> Result<Scalars, Error> {
    if let Scalars::Device(address) = scalars {
        buffer("coefficients", address, 1, args::SCALARS_BYTES, 8)?;
    }
    Ok(scalars)
}

/// The blocks of `n` values; `None` if there are none.
fn blocks_buffer(address: u64, n: u64) -> Result<Option<Buffer>, Error> {
    if !n.is_multiple_of(QK) {
        return Err(Error::PartialBlock(n));
    }
    if n == 0 {
        return Ok(None);
    }
    buffer("blocks", address, n / QK, BLOCK_BYTES, 1).map(Some)
}

fn check_backward(b: &Backward, dtype: DType, alphas: bool) -> Result<(), Error> {
    for (name, address) in [("draw_p", b.draw_p), ("draw_n", b.draw_n)] {
        if address != 0 {
            elements(name, address, 1, DType::F32)?;
        }
    }
    if b.n == 0 {
        return Ok(());
    }
    let inputs = [elements("x", b.x, b.n, dtype)?, elements("dy", b.dy, b.n, dtype)?];
    let dx = if b.dx == 0 { None } else { Some(elements("dx", b.dx, b.n, dtype)?) };
    no_overlap(dx.as_slice(), &inputs)?;
    if alphas {
        let workspace = buffer("workspace", b.workspace, backward_workspace_len(b.n), 1, 8)?;
        for &other in inputs.iter().chain(&dx) {
            apart(workspace, other, false)?;
        }
    }
    Ok(())
}
