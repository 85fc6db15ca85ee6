//! C functions on device addresses and a stream: what `include/xielu_cuda.h` declares (feature
//! `capi`). The header is made from this file, and a test holds it to it.
//!
//! # Safety
//!
//! One contract for every function, so it is not repeated at each: pointers to host memory are
//! NULL or valid for what is said of them; device addresses are valid for the stated number of
//! elements, on the device that was opened, until the work is done; a stream is NULL (the default
//! stream) or one of the device's primary context. NULL, misaligned and overlapping addresses are
//! refused.
#![allow(non_camel_case_types, reason = "the names are C's")]
#![allow(clippy::missing_safety_doc, reason = "the module states the one contract")]
#![allow(rustdoc::broken_intra_doc_links, reason = "x[i] is C's, in the header's comments")]

use std::cell::RefCell;
use std::ffi::{CStr, CString, c_char, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;

use xielu_kernels_simd::{self as cpu, Activation, ActivationKind, Coefficients, Matrix, Shape};

use crate::{
    Backward, Cuda, DType, DeviceMatrix, DeviceMlp, Error, MlpAt, MlpScratch, Raw, RawScalars,
    Scalars, Stream, SwigluBackward, backward_workspace_len,
};

/// alpha_p*x^2 + beta*x for x > 0, alpha_n*(e^min(x, eps) - 1 - x) + beta*x otherwise.
pub const XIELU_CUDA_XIELU: u32 = 0;
/// alpha_p*x^2 + beta*x for x > 0, alpha_n*x^2 + beta*x otherwise.
pub const XIELU_CUDA_XIPRELU: u32 = 1;
/// max(0, x)^2. Takes no coefficients.
pub const XIELU_CUDA_RELU2: u32 = 2;

/// Values are floats.
pub const XIELU_CUDA_F32: u32 = 0;
/// Values are bfloat16.
pub const XIELU_CUDA_BF16: u32 = 1;
/// Values are IEEE halves.
pub const XIELU_CUDA_F16: u32 = 2;

/// What a function returns. xielu_cuda_last_error says more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum xielu_cuda_status {
    /// The work is queued.
    XIELU_CUDA_OK = 0,
    /// No CUDA driver can be loaded, or it or the device is too old.
    XIELU_CUDA_NO_DRIVER = 1,
    /// The driver reported an error.
    XIELU_CUDA_DRIVER_ERROR = 2,
    /// An argument cannot be right; nothing was queued.
    XIELU_CUDA_INVALID = 3,
    /// A mistake inside the library.
    XIELU_CUDA_INTERNAL = 4,
}

/// A device with its kernels. Any thread may use it, several at once too.
pub struct xielu_cuda(Cuda);

/// The effective scalars of a layer. All are finite, and eps <= 0.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct xielu_cuda_coefficients {
    /// softplus of the stored alpha_p.
    pub alpha_p: f32,
    /// beta + softplus of the stored alpha_n for xIELU; without beta for xIPReLU.
    pub alpha_n: f32,
    /// Slope at 0.
    pub beta: f32,
    /// 0 for the ideal xIELU; the checkpoint's (-1e-6) to repeat the reference's clamp.
    pub eps: f32,
    /// sigmoid of the stored alpha_p; only gradients need it.
    pub sigmoid_p: f64,
    /// sigmoid of the stored alpha_n; only gradients need it.
    pub sigmoid_n: f64,
}

/// What a call computes with: a function, its scalars (one of the two pointers, none for ReLU²),
/// the type of its values and where it is queued.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct xielu_cuda_call {
    /// A stream (CUstream, cudaStream_t), or NULL.
    pub stream: *mut c_void,
    /// XIELU_CUDA_XIELU, XIELU_CUDA_XIPRELU or XIELU_CUDA_RELU2; SwiGLU's functions ignore it.
    pub function: u32,
    /// XIELU_CUDA_F32, XIELU_CUDA_BF16 or XIELU_CUDA_F16.
    pub dtype: u32,
    /// Scalars in host memory, read during the call.
    pub coefficients: *const xielu_cuda_coefficients,
    /// Scalars in device memory, as xielu_cuda_freeze writes them.
    pub device_coefficients: *const c_void,
}

/// Operands of xielu_cuda_backward; NULL where a gradient is not wanted.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct xielu_cuda_gradients {
    /// What the forward function was given.
    pub x: *const c_void,
    /// The gradient of its result.
    pub dy: *const c_void,
    /// Where the gradient of x goes; may be x or dy.
    pub dx: *mut c_void,
    /// Where the gradient by the stored alpha_p goes, one float on the device.
    pub draw_p: *mut f32,
    /// Where the gradient by the stored alpha_n goes, one float on the device.
    pub draw_n: *mut f32,
    /// Of xielu_cuda_workspace_size bytes, if one of the two is wanted.
    pub workspace: *mut c_void,
    /// Elements.
    pub n: u64,
    /// Adds to dx instead of replacing it.
    pub accumulate_dx: bool,
    /// Adds to draw_p and draw_n instead of replacing them.
    pub accumulate_alphas: bool,
}

/// Operands of xielu_cuda_swiglu_backward.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct xielu_cuda_swiglu_gradients {
    /// As given to the forward function.
    pub gate: *const c_void,
    /// As given to the forward function.
    pub up: *const c_void,
    /// The gradient of its result.
    pub dy: *const c_void,
    /// Where the gradient of gate goes; may be one of the inputs.
    pub d_gate: *mut c_void,
    /// Where the gradient of up goes; may be one of the inputs.
    pub d_up: *mut c_void,
    /// Elements.
    pub n: u64,
    /// Adds to both instead of replacing them.
    pub accumulate: bool,
}

/// A weight matrix in host memory, row by row in GGUF's blocks. It is copied.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct xielu_cuda_matrix {
    /// The blocks, at any alignment.
    pub data: *const c_void,
    /// Their bytes: what the shape takes.
    pub bytes: u64,
    /// The type's name in GGUF tools, such as "Q4_K" or "BF16".
    pub dtype: *const c_char,
    /// Outputs.
    pub rows: u64,
    /// Values of an input.
    pub cols: u64,
}

/// The MLP of one layer on a device, with working memory: one stream at a time may use it.
pub struct xielu_cuda_mlp {
    at: MlpAt,
    // What the addresses are of.
    _mlp: DeviceMlp,
    _scratch: MlpScratch,
}

thread_local! {
    static LAST: RefCell<CString> = RefCell::default();
}

/// Why a call failed.
enum Failure {
    Kernels(Error),
    Argument(&'static str),
}

impl From<Error> for Failure {
    fn from(e: Error) -> Self {
        Failure::Kernels(e)
    }
}

/// Runs a call, keeps the text of its failure, and lets no panic through.
fn status(call: impl FnOnce() -> Result<(), Failure>) -> xielu_cuda_status {
    use xielu_cuda_status::*;
    let (status, text) = match catch_unwind(AssertUnwindSafe(call)) {
        Ok(Ok(())) => return XIELU_CUDA_OK,
        Ok(Err(Failure::Argument(what))) => (XIELU_CUDA_INVALID, what.to_owned()),
        Ok(Err(Failure::Kernels(e))) => {
            let status = match e {
                Error::NoDriver | Error::OldDriver(_) | Error::OldDevice(_) => XIELU_CUDA_NO_DRIVER,
                Error::Driver { .. } => XIELU_CUDA_DRIVER_ERROR,
                _ => XIELU_CUDA_INVALID,
            };
            (status, e.to_string())
        }
        Err(_) => (XIELU_CUDA_INTERNAL, "a mistake inside the library".to_owned()),
    };
    LAST.with_borrow_mut(|last| *last = CString::new(text).unwrap_or_default());
    status
}

/// Borrows from a pointer that must not be NULL.
unsafe fn given<'a, T>(pointer: *const T, what: &'static str) -> Result<&'a T, Failure> {
    // SAFETY: NULL or valid, as the module says.
    unsafe { pointer.as_ref() }.ok_or(Failure::Argument(what))
}

fn dtype(dtype: u32) -> Result<DType, Failure> {
    DType::ALL.get(dtype as usize).copied().ok_or(Failure::Argument("no such dtype"))
}

fn function(function: u32) -> Result<ActivationKind, Failure> {
    match function {
        XIELU_CUDA_XIELU => Ok(ActivationKind::Xielu),
        XIELU_CUDA_XIPRELU => Ok(ActivationKind::Xiprelu),
        XIELU_CUDA_RELU2 => Ok(ActivationKind::Relu2),
        _ => Err(Failure::Argument("no such function")),
    }
}

/// A call's struct, understood.
struct Call<'a> {
    raw: Raw<Stream<'a>>,
    function: ActivationKind,
    dtype: DType,
    scalars: Scalars,
}

unsafe fn understand<'a>(
    cuda: *const xielu_cuda,
    call: *const xielu_cuda_call,
    gated: bool,
) -> Result<Call<'a>, Failure> {
    // SAFETY: the module's contract, for both pointers.
    let (cuda, call) = unsafe { (given(cuda, "cuda is NULL")?, given(call, "call is NULL")?) };
    let function = if gated { ActivationKind::Swiglu } else { function(call.function)? };
    let device = call.device_coefficients as u64;
    // SAFETY: the module's contract.
    let scalars = match unsafe { call.coefficients.as_ref() } {
        _ if !function.has_alphas() => Scalars::NONE,
        Some(_) if device != 0 => return Err(Failure::Argument("coefficients are given twice")),
        None if device == 0 => return Err(Failure::Argument("coefficients are missing")),
        None => Scalars::Device(device),
        Some(c) => Scalars::Value {
            coefficients: Coefficients {
                alpha_p: c.alpha_p,
                alpha_n: c.alpha_n,
                beta: c.beta,
                eps: c.eps,
            },
            slopes: [c.sigmoid_p, c.sigmoid_n],
        },
    };
    // SAFETY: NULL or a stream of the context, as the module says.
    let raw = unsafe { cuda.0.raw_on(call.stream) };
    Ok(Call { raw, function, dtype: dtype(call.dtype)?, scalars })
}

/// What went wrong in the last call of this thread that failed: text until the next such call.
#[unsafe(no_mangle)]
pub extern "C" fn xielu_cuda_last_error() -> *const c_char {
    LAST.with_borrow(|last| last.as_ptr())
}

/// Opens a device by number, in its primary context. `*out` is NULL if that fails.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xielu_cuda_open(
    device: u32,
    out: *mut *mut xielu_cuda,
) -> xielu_cuda_status {
    // SAFETY: NULL or valid, as the module says.
    let Some(out) = (unsafe { out.as_mut() }) else {
        return status(|| Err(Failure::Argument("out is NULL")));
    };
    *out = ptr::null_mut();
    status(|| {
        let cuda = Cuda::new(device as usize)?;
        *out = Box::into_raw(Box::new(xielu_cuda(cuda)));
        Ok(())
    })
}

/// Closes what xielu_cuda_open gave; NULL is ignored. No other call may use it any more, and its
/// work is done.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xielu_cuda_close(cuda: *mut xielu_cuda) {
    if !cuda.is_null() {
        // SAFETY: from `xielu_cuda_open`, once, as the function says.
        let cuda = unsafe { Box::from_raw(cuda) };
        let _ = catch_unwind(AssertUnwindSafe(|| drop(cuda)));
    }
}

/// y[i] = f(x[i]) for n elements on the device; y may be x.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xielu_cuda_forward(
    cuda: *const xielu_cuda,
    call: *const xielu_cuda_call,
    x: *const c_void,
    y: *mut c_void,
    n: u64,
) -> xielu_cuda_status {
    // SAFETY: the module's contract.
    status(|| unsafe {
        let Call { raw, function, dtype, scalars } = understand(cuda, call, false)?;
        Ok(raw.forward(function, scalars, dtype, [x as u64, y as u64], n)?)
    })
}

/// The n / 32 Q8_0 blocks (34 bytes each) of f(x[i]).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xielu_cuda_forward_q8_0(
    cuda: *const xielu_cuda,
    call: *const xielu_cuda_call,
    x: *const c_void,
    blocks: *mut c_void,
    n: u64,
) -> xielu_cuda_status {
    // SAFETY: the module's contract.
    status(|| unsafe {
        let Call { raw, function, dtype, scalars } = understand(cuda, call, false)?;
        Ok(raw.forward_q8_0(function, scalars, dtype, [x as u64, blocks as u64], n)?)
    })
}

/// y[i] = silu(gate[i]) * up[i] for n elements; y may be gate or up.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xielu_cuda_swiglu(
    cuda: *const xielu_cuda,
    call: *const xielu_cuda_call,
    gate: *const c_void,
    up: *const c_void,
    y: *mut c_void,
    n: u64,
) -> xielu_cuda_status {
    // SAFETY: the module's contract.
    status(|| unsafe {
        let Call { raw, dtype, .. } = understand(cuda, call, true)?;
        Ok(raw.swiglu(dtype, [gate as u64, up as u64, y as u64], n)?)
    })
}

/// The n / 32 Q8_0 blocks of silu(gate[i]) * up[i].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xielu_cuda_swiglu_q8_0(
    cuda: *const xielu_cuda,
    call: *const xielu_cuda_call,
    gate: *const c_void,
    up: *const c_void,
    blocks: *mut c_void,
    n: u64,
) -> xielu_cuda_status {
    // SAFETY: the module's contract.
    status(|| unsafe {
        let Call { raw, dtype, .. } = understand(cuda, call, true)?;
        Ok(raw.swiglu_q8_0(dtype, [gate as u64, up as u64, blocks as u64], n)?)
    })
}

/// Bytes of workspace that the alphas' gradients over n elements need.
#[unsafe(no_mangle)]
pub extern "C" fn xielu_cuda_workspace_size(n: u64) -> u64 {
    backward_workspace_len(n)
}

/// dx[i] = dy[i] * f'(x[i]), and the gradients by the stored alphas, in one pass.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xielu_cuda_backward(
    cuda: *const xielu_cuda,
    call: *const xielu_cuda_call,
    gradients: *const xielu_cuda_gradients,
) -> xielu_cuda_status {
    // SAFETY: the module's contract.
    status(|| unsafe {
        let Call { raw, function, dtype, scalars } = understand(cuda, call, false)?;
        let g = given(gradients, "gradients is NULL")?;
        let operands = Backward {
            x: g.x as u64,
            dy: g.dy as u64,
            dx: g.dx as u64,
            draw_p: g.draw_p as u64,
            draw_n: g.draw_n as u64,
            workspace: g.workspace as u64,
            n: g.n,
            accumulate_dx: g.accumulate_dx,
            accumulate_alphas: g.accumulate_alphas,
        };
        Ok(raw.backward(function, scalars, dtype, &operands)?)
    })
}

/// d_gate[i] = dy[i] * up[i] * silu'(gate[i]) and d_up[i] = dy[i] * silu(gate[i]).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xielu_cuda_swiglu_backward(
    cuda: *const xielu_cuda,
    call: *const xielu_cuda_call,
    gradients: *const xielu_cuda_swiglu_gradients,
) -> xielu_cuda_status {
    // SAFETY: the module's contract.
    status(|| unsafe {
        let Call { raw, dtype, .. } = understand(cuda, call, true)?;
        let g = given(gradients, "gradients is NULL")?;
        let operands = SwigluBackward {
            gate: g.gate as u64,
            up: g.up as u64,
            dy: g.dy as u64,
            d_gate: g.d_gate as u64,
            d_up: g.d_up as u64,
            n: g.n,
            accumulate: g.accumulate,
        };
        Ok(raw.swiglu_backward(dtype, &operands)?)
    })
}

/// The bytes of a matrix are those its shape takes.
unsafe fn matrix<'a>(matrix: *const xielu_cuda_matrix) -> Result<Matrix<'a>, Failure> {
    // SAFETY: the module's contract.
    let m = unsafe { given(matrix, "a matrix is NULL")? };
    if m.data.is_null() || m.dtype.is_null() {
        return Err(Failure::Argument("a matrix's data or dtype is NULL"));
    }
    // SAFETY: not NULL, and text as the struct says.
    let name = unsafe { CStr::from_ptr(m.dtype) };
    let dtype = cpu::DType::ALL.into_iter().find(|d| name.to_bytes() == d.name().as_bytes());
    let dtype = dtype.ok_or(Failure::Argument("a matrix's dtype is no name of a GGUF type"))?;
    let number = |n: u64| usize::try_from(n).map_err(|_| Failure::Argument("a matrix too large"));
    let (rows, cols, bytes) = (number(m.rows)?, number(m.cols)?, number(m.bytes)?);
    // SAFETY: not NULL, and that many bytes as the struct says.
    let data = unsafe { std::slice::from_raw_parts(m.data.cast::<u8>(), bytes) };
    Matrix::new(dtype, Shape { rows, cols }, data)
        .map_err(|_| Failure::Argument("a matrix's bytes are not what its dtype and shape take"))
}

/// Bytes that a matrix takes on a device; 0 if there is no such type, or they cannot be counted.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xielu_cuda_matrix_bytes(
    dtype: *const c_char,
    rows: u64,
    cols: u64,
) -> u64 {
    if dtype.is_null() {
        return 0;
    }
    // SAFETY: not NULL, and text.
    let name = unsafe { CStr::from_ptr(dtype) };
    let dtype = cpu::DType::ALL.into_iter().find(|d| name.to_bytes() == d.name().as_bytes());
    let bytes = |dtype| {
        let (rows, cols) = (usize::try_from(rows).ok()?, usize::try_from(cols).ok()?);
        DeviceMatrix::bytes_for(dtype, rows, cols)
    };
    dtype.and_then(bytes).map_or(0, |bytes| bytes as u64)
}

/// down(f(up(x))), or with a gate down(silu(gate(x)) * up(x)), for up to `tokens` tokens at once:
/// copies the weights to the device and allocates working memory. up and gate are [ffn, hidden],
/// down [hidden, ffn]; gate may be NULL. Of the call, the function and its coefficients in host
/// memory count, and not even those with a gate. `*out` is NULL if that fails.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xielu_cuda_mlp_open(
    cuda: *const xielu_cuda,
    call: *const xielu_cuda_call,
    gate: *const xielu_cuda_matrix,
    up: *const xielu_cuda_matrix,
    down: *const xielu_cuda_matrix,
    tokens: u64,
    out: *mut *mut xielu_cuda_mlp,
) -> xielu_cuda_status {
    // SAFETY: NULL or valid, as the module says.
    let Some(out) = (unsafe { out.as_mut() }) else {
        return status(|| Err(Failure::Argument("out is NULL")));
    };
    *out = ptr::null_mut();
    // SAFETY: the module's contract.
    status(|| unsafe {
        let device = &given(cuda, "cuda is NULL")?.0;
        let function = understand(cuda, call, !gate.is_null())?;
        let stream = device.context().default_stream();
        let on = device.on(&stream)?;
        let upload = |m: &Matrix<'_>| DeviceMatrix::upload(&on, m);
        let (up, down) = (matrix(up)?, matrix(down)?);
        let mlp = if gate.is_null() {
            let act = match (function.function, function.scalars) {
                (ActivationKind::Relu2, _) => Activation::Relu2,
                (ActivationKind::Xielu, Scalars::Value { coefficients, .. }) => {
                    Activation::Xielu(coefficients)
                }
                (_, Scalars::Value { coefficients, .. }) => Activation::Xiprelu(coefficients),
                (_, Scalars::Device(_)) => {
                    return Err(Failure::Argument("an MLP's coefficients are in host memory"));
                }
            };
            DeviceMlp::new(upload(&up)?, upload(&down)?, act)?
        } else {
            DeviceMlp::gated(upload(&matrix(gate)?)?, upload(&up)?, upload(&down)?)?
        };
        let tokens = usize::try_from(tokens).map_err(|_| Failure::Argument("too many tokens"))?;
        let mut scratch = mlp.scratch(&stream, tokens)?;
        let at = mlp.at(&stream, &mut scratch)?;
        *out = Box::into_raw(Box::new(xielu_cuda_mlp { at, _mlp: mlp, _scratch: scratch }));
        Ok(())
    })
}

/// y = mlp(x), or y += mlp(x) if `add`, queued on the stream: floats on the device, [tokens, hidden]
/// both.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xielu_cuda_mlp_forward(
    cuda: *const xielu_cuda,
    mlp: *mut xielu_cuda_mlp,
    stream: *mut c_void,
    x: *const f32,
    tokens: u64,
    y: *mut f32,
    add: bool,
) -> xielu_cuda_status {
    // SAFETY: the module's contract.
    status(|| unsafe {
        let cuda = given(cuda, "cuda is NULL")?;
        let mlp = given(mlp.cast_const(), "mlp is NULL")?;
        Ok(cuda.0.raw_on(stream).mlp(&mlp.at, x as u64, tokens, y as u64, add)?)
    })
}

/// Frees what xielu_cuda_mlp_open gave; NULL is ignored. Its work is done.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xielu_cuda_mlp_close(mlp: *mut xielu_cuda_mlp) {
    if !mlp.is_null() {
        // SAFETY: from `xielu_cuda_mlp_open`, once, as the function says.
        let mlp = unsafe { Box::from_raw(mlp) };
        let _ = catch_unwind(AssertUnwindSafe(|| drop(mlp)));
    }
}

/// Makes coefficients at `out` (32 bytes on the device) of stored scalars that are there already,
/// of the call's dtype. The call's coefficients are ignored.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xielu_cuda_freeze(
    cuda: *const xielu_cuda,
    call: *const xielu_cuda_call,
    alpha_p: *const c_void,
    alpha_n: *const c_void,
    beta: f32,
    eps: f32,
    out: *mut c_void,
) -> xielu_cuda_status {
    // SAFETY: the module's contract.
    status(|| unsafe {
        let Call { raw, dtype, .. } = understand(cuda, call, true)?;
        let (alpha_p, alpha_n) = (alpha_p as u64, alpha_n as u64);
        let scalars = RawScalars { alpha_p, alpha_n, dtype, beta, eps };
        Ok(raw.freeze(function(given(call, "call is NULL")?.function)?, &scalars, out as u64)?)
    })
}
