//! The kernels on device slices: lengths and owners checked.

use std::sync::Arc;

use cudarc::driver::{CudaContext, CudaStream, DevicePtr, DevicePtrMut, DeviceSlice};
use xielu_kernels_simd::Element;

use crate::launch::TILE;
use crate::raw::SwigluBackward;
use crate::{Backward, Cuda, DType, Error, Raw, Scaled, Stream};

/// The gradients of a layer's stored alphas, on the device, with the workspace that sums them.
#[derive(Debug)]
pub struct Gradients {
    /// By the stored `alpha_p`, then by the stored `alpha_n`.
    pub alphas: cudarc::driver::CudaSlice<f32>,
    workspace: cudarc::driver::CudaSlice<f64>,
}

impl Gradients {
    /// Zeros, for activations of up to `n` elements.
    ///
    /// # Errors
    /// If the device has too little memory.
    pub fn new(stream: &Arc<CudaStream>, n: usize) -> Result<Gradients, Error> {
        let doing = Error::driver("allocating gradients");
        let tiles = (n as u64).div_ceil(TILE) as usize;
        Ok(Gradients {
            alphas: stream.alloc_zeros(2).map_err(&doing)?,
            workspace: stream.alloc_zeros(2 * tiles).map_err(&doing)?,
        })
    }
}

pub(crate) fn same_length(what: &'static str, expected: usize, found: usize) -> Result<(), Error> {
    if expected == found {
        return Ok(());
    }
    Err(Error::Length { what, expected: expected as u64, found: found as u64 })
}

/// A device and a stream of it: where the functions on device slices are queued. It is what a CPU's
/// backend is to slices in memory.
#[derive(Clone, Copy, Debug)]
pub struct OnStream<'a> {
    cuda: &'a Cuda,
    stream: &'a Arc<CudaStream>,
}

impl Cuda {
    /// The kernels on device slices, queued on `stream`.
    ///
    /// # Errors
    /// [`Error::OtherContext`] if the stream is not of this device's context.
    pub fn on<'a>(&'a self, stream: &'a Arc<CudaStream>) -> Result<OnStream<'a>, Error> {
        self.owns("the stream", stream.context())?;
        Ok(OnStream { cuda: self, stream })
    }

    fn owns(&self, what: &'static str, context: &CudaContext) -> Result<(), Error> {
        if context.cu_ctx() == self.context().cu_ctx() {
            return Ok(());
        }
        Err(Error::OtherContext(what))
    }
}

impl<'a> OnStream<'a> {
    /// The stream.
    pub fn stream(&self) -> &'a Arc<CudaStream> {
        self.stream
    }

    pub(crate) fn raw(&self) -> Raw<Stream<'a>> {
        self.cuda.raw(self.stream)
    }

    /// Checks a slice of a call.
    pub(crate) fn operand<T>(
        &self,
        what: &'static str,
        expected: usize,
        slice: &(impl DeviceSlice<T> + ?Sized),
    ) -> Result<(), Error> {
        same_length(what, expected, slice.len())?;
        self.cuda.owns(what, slice.stream().context())
    }

    /// Refuses scalars of another context.
    pub(crate) fn scalars_of(&self, f: &impl Scaled) -> Result<(), Error> {
        match f.owner() {
            Some(slice) => self.cuda.owns("the scalars", slice.stream().context()),
            None => Ok(()),
        }
    }

    /// `y[i] = f(x[i])`.
    ///
    /// # Errors
    /// If there is no kernel of the function, lengths or contexts differ, or the launch fails;
    /// nothing is written then.
    pub fn forward<T: Element>(
        &self,
        f: &impl Scaled,
        x: &dyn DevicePtr<T>,
        y: &mut dyn DevicePtrMut<T>,
    ) -> Result<(), Error> {
        let n = x.len();
        self.scalars_of(f)?;
        self.operand("x", n, x)?;
        self.operand("y", n, y)?;
        let (x, _read) = x.device_ptr(self.stream);
        let (y, _written) = y.device_ptr_mut(self.stream);
        let (scalars, _scalars) = f.scalars(self.stream);
        // SAFETY: both slices are of this context and hold `n` elements, and the scalars are of
        // this context (all checked above); their guards order this work after what was queued on
        // them, and what follows after it.
        unsafe { self.raw().forward(f.kind(), scalars, DType::of::<T>(), [x, y], n as u64) }
    }

    /// `x[i] = f(x[i])`.
    ///
    /// # Errors
    /// As [`OnStream::forward`].
    pub fn forward_in_place<T: Element>(
        &self,
        f: &impl Scaled,
        x: &mut dyn DevicePtrMut<T>,
    ) -> Result<(), Error> {
        let n = x.len();
        self.scalars_of(f)?;
        self.operand("x", n, x)?;
        let (x, _written) = x.device_ptr_mut(self.stream);
        let (scalars, _scalars) = f.scalars(self.stream);
        // SAFETY: as in `forward`; source and destination are the same elements.
        unsafe { self.raw().forward(f.kind(), scalars, DType::of::<T>(), [x, x], n as u64) }
    }

    /// The Q8_0 blocks of `f(x[i])`: 34 bytes for 32 values, the same as the CPU's quantizer makes
    /// of the activated values in f32.
    ///
    /// # Errors
    /// If `x` is not a multiple of 32, or as [`OnStream::forward`].
    pub fn forward_q8_0<T: Element>(
        &self,
        f: &impl Scaled,
        x: &dyn DevicePtr<T>,
        blocks: &mut dyn DevicePtrMut<u8>,
    ) -> Result<(), Error> {
        let n = x.len();
        self.scalars_of(f)?;
        self.operand("x", n, x)?;
        self.operand("blocks", n / 32 * 34, blocks)?;
        let (x, _read) = x.device_ptr(self.stream);
        let (y, _written) = blocks.device_ptr_mut(self.stream);
        let (scalars, _scalars) = f.scalars(self.stream);
        // SAFETY: as in `forward`; `blocks` has room for every whole block (checked above).
        unsafe { self.raw().forward_q8_0(f.kind(), scalars, DType::of::<T>(), [x, y], n as u64) }
    }

    /// `y[i] = silu(gate[i]) * up[i]` of `[gate, up]`.
    ///
    /// # Errors
    /// As [`OnStream::forward`].
    pub fn swiglu<T: Element>(
        &self,
        [gate, up]: [&dyn DevicePtr<T>; 2],
        y: &mut dyn DevicePtrMut<T>,
    ) -> Result<(), Error> {
        let n = gate.len();
        self.operand("gate", n, gate)?;
        self.operand("up", n, up)?;
        self.operand("y", n, y)?;
        let (gate, _gate) = gate.device_ptr(self.stream);
        let (up, _up) = up.device_ptr(self.stream);
        let (y, _written) = y.device_ptr_mut(self.stream);
        // SAFETY: as in `forward`.
        unsafe { self.raw().swiglu(DType::of::<T>(), [gate, up, y], n as u64) }
    }

    /// `up[i] = silu(gate[i]) * up[i]`.
    ///
    /// # Errors
    /// As [`OnStream::forward`].
    pub fn swiglu_in_place<T: Element>(
        &self,
        gate: &dyn DevicePtr<T>,
        up: &mut dyn DevicePtrMut<T>,
    ) -> Result<(), Error> {
        let n = gate.len();
        self.operand("gate", n, gate)?;
        self.operand("up", n, up)?;
        let (gate, _gate) = gate.device_ptr(self.stream);
        let (up, _written) = up.device_ptr_mut(self.stream);
        // SAFETY: as in `forward`; what is written is `up` itself.
        unsafe { self.raw().swiglu(DType::of::<T>(), [gate, up, up], n as u64) }
    }

    /// The Q8_0 blocks of `silu(gate[i]) * up[i]`, as [`OnStream::forward_q8_0`].
    ///
    /// # Errors
    /// As [`OnStream::forward_q8_0`].
    pub fn swiglu_q8_0<T: Element>(
        &self,
        [gate, up]: [&dyn DevicePtr<T>; 2],
        blocks: &mut dyn DevicePtrMut<u8>,
    ) -> Result<(), Error> {
        let n = gate.len();
        self.operand("gate", n, gate)?;
        self.operand("up", n, up)?;
        self.operand("blocks", n / 32 * 34, blocks)?;
        let (gate, _gate) = gate.device_ptr(self.stream);
        let (up, _up) = up.device_ptr(self.stream);
        let (y, _written) = blocks.device_ptr_mut(self.stream);
        // SAFETY: as in `forward_q8_0`.
        unsafe { self.raw().swiglu_q8_0(DType::of::<T>(), [gate, up, y], n as u64) }
    }

    /// `dx[i] = dy[i] * f'(x[i])`, and the gradients by the stored alphas **added** to
    /// `gradients` (`None`: not computed, as for ReLU²). Nothing is allocated.
    ///
    /// # Errors
    /// If `gradients` was made for fewer elements, or as [`OnStream::forward`].
    pub fn backward<T: Element>(
        &self,
        f: &impl Scaled,
        x: &dyn DevicePtr<T>,
        dy: &dyn DevicePtr<T>,
        dx: &mut dyn DevicePtrMut<T>,
        gradients: Option<&mut Gradients>,
    ) -> Result<(), Error> {
        let n = x.len();
        self.scalars_of(f)?;
        self.operand("x", n, x)?;
        self.operand("dy", n, dy)?;
        self.operand("dx", n, dx)?;
        let stream = self.stream;
        let (x, _x) = x.device_ptr(stream);
        let (dy, _dy) = dy.device_ptr(stream);
        let (dx, _dx) = dx.device_ptr_mut(stream);
        let mut operands = Backward { x, dy, dx, n: n as u64, ..Backward::default() };
        let (scalars, _scalars) = f.scalars(stream);
        let (raw, dtype) = (self.raw(), DType::of::<T>());
        let Some(Gradients { alphas, workspace }) = gradients else {
            // SAFETY: as in `forward`.
            return unsafe { raw.backward(f.kind(), scalars, dtype, &operands) };
        };
        self.operand("gradients", 2, alphas)?;
        let needed = 2 * n.div_ceil(TILE as usize);
        if workspace.len() < needed {
            return same_length("the workspace", needed, workspace.len());
        }
        let (alphas, _alphas) = alphas.device_ptr_mut(stream);
        let (workspace, _workspace) = workspace.device_ptr_mut(stream);
        operands.draw_p = alphas;
        operands.draw_n = alphas + size_of::<f32>() as u64;
        operands.accumulate_alphas = true;
        operands.workspace = workspace;
        // SAFETY: as in `forward`; `alphas` holds two elements, the workspace what is needed (both
        // checked above).
        unsafe { raw.backward(f.kind(), scalars, dtype, &operands) }
    }

    /// `d_gate[i] = dy[i] * up[i] * silu'(gate[i])` and `d_up[i] = dy[i] * silu(gate[i])`.
    ///
    /// # Errors
    /// As [`OnStream::forward`].
    pub fn swiglu_backward<T: Element>(
        &self,
        [gate, up]: [&dyn DevicePtr<T>; 2],
        dy: &dyn DevicePtr<T>,
        [d_gate, d_up]: [&mut dyn DevicePtrMut<T>; 2],
    ) -> Result<(), Error> {
        let n = gate.len();
        for (what, slice) in [("gate", gate), ("up", up), ("dy", dy)] {
            self.operand(what, n, slice)?;
        }
        self.operand("d_gate", n, &*d_gate)?;
        self.operand("d_up", n, &*d_up)?;
        let stream = self.stream;
        let (gate, _gate) = gate.device_ptr(stream);
        let (up, _up) = up.device_ptr(stream);
        let (dy, _dy) = dy.device_ptr(stream);
        let (d_gate, _d_gate) = d_gate.device_ptr_mut(stream);
        let (d_up, _d_up) = d_up.device_ptr_mut(stream);
        let n = n as u64;
        let operands = SwigluBackward { gate, up, dy, d_gate, d_up, n, accumulate: false };
        // SAFETY: as in `forward`.
        unsafe { self.raw().swiglu_backward(DType::of::<T>(), &operands) }
    }
}
