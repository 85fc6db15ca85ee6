//! The activations on CUDA: this library's kernels, on candle's memory and in its stream.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use candle_core::backend::BackendStorage;
use candle_core::cuda::{CudaDType, CudaDevice};
use candle_core::op::BackpropOp;
use candle_core::{CudaStorage, DType, Error, Layout, Result, Shape, Storage, StorageRef, Tensor};
use half::{bf16, f16};

use crate::activation::{Differentiable as _, Elementwise as _, Relu2, Swiglu};
use crate::cuda::cudarc::driver::{CudaSlice, CudaStream, CudaView, DeviceRepr, ValidAsZeroBits};
use crate::cuda::{Cuda, Frozen, OnStream};
use crate::kernels::{ActivationKind, Element};
use crate::train::ops::functions::BETA;

/// A tensor as an op sees it.
type Operand<'a> = (&'a CudaStorage, &'a Layout);

/// What the kernels compute, as candle stores it.
trait Value: CudaDType + Element + DeviceRepr + ValidAsZeroBits {}

impl Value for f32 {}
impl Value for bf16 {}
impl Value for f16 {}

/// Evaluates `$body` with `$t` as the type that `$dtype` names.
macro_rules! by_type {
    ($dtype:expr, $t:ident => $body:expr) => {
        match $dtype {
            DType::F32 => {
                type $t = f32;
                $body
            }
            DType::BF16 => {
                type $t = bf16;
                $body
            }
            DType::F16 => {
                type $t = f16;
                $body
            }
            other => refuse!("activations on CUDA compute f32, bf16 and f16, not {other:?}"),
        }
    };
}

/// Whether a kernel computes this tensor.
pub(super) fn has_kernel(x: &Tensor) -> bool {
    x.device().is_cuda() && matches!(x.dtype(), DType::F32 | DType::BF16 | DType::F16)
}

/// The kernels on a candle device, and the stream that candle's own work is in.
struct On {
    device: CudaDevice,
    cuda: Arc<Cuda>,
    stream: Arc<CudaStream>,
}

impl On {
    fn new(device: &CudaDevice) -> Result<Self> {
        // Compiled once in a process for each device.
        static KERNELS: OnceLock<Mutex<HashMap<usize, Arc<Cuda>>>> = OnceLock::new();
        let stream = device.cuda_stream();
        let context = stream.context();
        let mut kernels =
            KERNELS.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner);
        let cuda = match kernels.get(&context.ordinal()) {
            Some(cuda) => cuda.clone(),
            None => {
                let cuda = Cuda::with_context(context.clone()).map_err(Error::wrap)?;
                let cuda = Arc::new(cuda);
                kernels.insert(context.ordinal(), cuda.clone());
                cuda
            }
        };
        Ok(On { device: device.clone(), cuda, stream })
    }

    /// `f` with the alphas as the optimiser has them, f32 on the device: nothing is waited for.
    fn freeze(&self, f: ActivationKind, [raw_p, raw_n]: [Operand<'_>; 2]) -> Result<Frozen> {
        let alphas = [view::<f32>(raw_p)?, view::<f32>(raw_n)?];
        if let Some(other) = alphas.iter().map(|a| a.len()).find(|&len| len != 1) {
            refuse!("an alpha is one value, not {other}");
        }
        let [alpha_p, alpha_n] = &alphas;
        self.stream()?.freeze::<f32>(f, [alpha_p, alpha_n], BETA, 0.0).map_err(Error::wrap)
    }

    /// Where the functions are queued.
    fn stream(&self) -> Result<OnStream<'_>> {
        self.cuda.on(&self.stream).map_err(Error::wrap)
    }

    fn zeros<T: Value>(&self, shape: &Shape) -> Result<CudaSlice<T>> {
        self.device.alloc_zeros(shape.elem_count())
    }

    fn storage<T: Value>(&self, slice: CudaSlice<T>) -> CudaStorage {
        CudaStorage::wrap_cuda_slice(slice, self.device.clone())
    }

    fn tensor<T: Value>(&self, slice: CudaSlice<T>, shape: impl Into<Shape>) -> Tensor {
        let storage = Storage::Cuda(self.storage(slice));
        Tensor::from_storage(storage, shape, BackpropOp::none(), false)
    }
}

/// The elements of a contiguous tensor.
fn view<'a, T: Value>((storage, layout): Operand<'a>) -> Result<CudaView<'a, T>> {
    let slice = storage.as_cuda_slice::<T>()?;
    match layout.contiguous_offsets().and_then(|(start, end)| slice.try_slice(start..end)) {
        Some(view) => Ok(view),
        None => refuse!("a custom op needs contiguous tensors, got {:?}", layout.shape()),
    }
}

/// A tensor whose memory stays what it is meanwhile.
struct Locked<'a>(StorageRef<'a>, &'a Layout);

impl<'a> Locked<'a> {
    fn new(tensor: &'a Tensor) -> Self {
        let (storage, layout) = tensor.storage_and_layout();
        Locked(storage, layout)
    }

    fn operand(&self) -> Result<Operand<'_>> {
        match &*self.0 {
            Storage::Cuda(storage) => Ok((storage, self.1)),
            _ => refuse!("all operands of an activation must be on the CUDA device"),
        }
    }
}

/// `f(x)` of stored alphas.
pub(super) fn learned(
    f: ActivationKind,
    x: Operand<'_>,
    raw: [Operand<'_>; 2],
) -> Result<(CudaStorage, Shape)> {
    let on = On::new(x.0.device())?;
    let (f, shape) = (on.freeze(f, raw)?, x.1.shape());
    by_type!(x.0.dtype(), T => {
        let mut y = on.zeros::<T>(shape)?;
        f.forward(&on.stream()?, &view::<T>(x)?, &mut y).map_err(Error::wrap)?;
        Ok((on.storage(y), shape.clone()))
    })
}

/// `max(0, x)^2`.
pub(super) fn relu2(x: Operand<'_>) -> Result<(CudaStorage, Shape)> {
    let (on, shape) = (On::new(x.0.device())?, x.1.shape());
    by_type!(x.0.dtype(), T => {
        let mut y = on.zeros::<T>(shape)?;
        Relu2.forward(&on.stream()?, &view::<T>(x)?, &mut y).map_err(Error::wrap)?;
        Ok((on.storage(y), shape.clone()))
    })
}

/// `silu(gate) * up`.
pub(super) fn swiglu(gate: Operand<'_>, up: Operand<'_>) -> Result<(CudaStorage, Shape)> {
    let on = On::new(gate.0.device())?;
    let shape = gate.1.shape();
    by_type!(gate.0.dtype(), T => {
        let mut y = on.zeros::<T>(shape)?;
        let (gate, up) = (view::<T>(gate)?, view::<T>(up)?);
        Swiglu.forward(&on.stream()?, [&gate, &up], &mut y).map_err(Error::wrap)?;
        Ok((on.storage(y), shape.clone()))
    })
}

/// Gradients of `x`, in its type, and of both stored alphas, in f32.
pub(super) fn learned_gradients(
    f: ActivationKind,
    x: &Tensor,
    raw: [&Tensor; 2],
    dy: &Tensor,
) -> Result<(Tensor, [Tensor; 2])> {
    let [raw_p, raw_n, x_locked, dy_locked] = [raw[0], raw[1], x, dy].map(Locked::new);
    let on = On::new(x.device().as_cuda_device()?)?;
    let f = on.freeze(f, [raw_p.operand()?, raw_n.operand()?])?;
    let (dx, sums) = by_type!(x.dtype(), T => {
        let mut dx = on.zeros::<T>(x.shape())?;
        let (x_there, dy_there) =
            (view::<T>(x_locked.operand()?)?, view::<T>(dy_locked.operand()?)?);
        let sums = f.backward(&on.stream()?, &x_there, &dy_there, &mut dx).map_err(Error::wrap)?;
        (on.tensor(dx, x.shape()), sums)
    });
    let sums = on.tensor(sums.alphas, 2);
    let of_alpha = |at, raw: &Tensor| sums.narrow(0, at, 1)?.reshape(raw.shape());
    Ok((dx, [of_alpha(0, raw[0])?, of_alpha(1, raw[1])?]))
}

/// `dy * 2*max(0, x)`.
pub(super) fn relu2_gradient(x: &Tensor, dy: &Tensor) -> Result<Tensor> {
    let on = On::new(x.device().as_cuda_device()?)?;
    let [x_locked, dy_locked] = [x, dy].map(Locked::new);
    by_type!(x.dtype(), T => {
        let mut dx = on.zeros::<T>(x.shape())?;
        let (x_there, dy_there) =
            (view::<T>(x_locked.operand()?)?, view::<T>(dy_locked.operand()?)?);
        Relu2.backward(&on.stream()?, &x_there, &dy_there, &mut dx).map_err(Error::wrap)?;
        Ok(on.tensor(dx, x.shape()))
    })
}

/// Gradients of gate and up from `[gate, up, dy]`.
pub(super) fn swiglu_gradients(from: [&Tensor; 3]) -> Result<[Tensor; 2]> {
    let shape = from[0].shape();
    let on = On::new(from[0].device().as_cuda_device()?)?;
    let [gate, up, dy] = from.map(Locked::new);
    by_type!(from[0].dtype(), T => {
        let (mut d_gate, mut d_up) = (on.zeros::<T>(shape)?, on.zeros::<T>(shape)?);
        let gate = view::<T>(gate.operand()?)?;
        let (up, dy) = (view::<T>(up.operand()?)?, view::<T>(dy.operand()?)?);
        Swiglu
            .backward(&on.stream()?, [&gate, &up], &dy, [&mut d_gate, &mut d_up])
            .map_err(Error::wrap)?;
        Ok([on.tensor(d_gate, shape), on.tensor(d_up, shape)])
    })
}
