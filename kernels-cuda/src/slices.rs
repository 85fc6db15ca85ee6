//! The kernels on device slices: lengths and owners checked.

use std::sync::Arc;

use cudarc::driver::{CudaContext, CudaStream, DevicePtr, DevicePtrMut, DeviceSlice};

use crate::launch::TILE;
use crate::raw::SwigluBackward;
use crate::{Backward, Cuda, Element, Error, Scaled};

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

fn same_length(what: &'static str, expected: usize, found: usize) -> Result<(), Error> {
    if expected == found {
        return Ok(());
    }
    Err(Error::Length { what, expected: expected as u64, found: found as u64 })
}

impl Cuda {
    pub(crate) fn owns(&self, what: &'static str, context: &CudaContext) -> Result<(), Error> {
        if context.cu_ctx() == self.context().cu_ctx() {
            return Ok(());
        }
        Err(Error::OtherContext(what))
    }

    /// Checks a slice of a call on `stream`.
    pub(crate) fn operand<T>(
        &self,
        what: &'static str,
        expected: usize,
        slice: &impl DeviceSlice<T>,
    ) -> Result<(), Error> {
        same_length(what, expected, slice.len())?;
        self.owns(what, slice.stream().context())
    }

    /// `dst[i] = f(src[i])`.
    ///
    /// # Errors
    /// If lengths or contexts differ, or the launch fails; nothing is written then.
    pub fn forward<T: Element>(
        &self,
        stream: &CudaStream,
        f: &impl Scaled,
        src: &impl DevicePtr<T>,
        dst: &mut impl DevicePtrMut<T>,
    ) -> Result<(), Error> {
        let n = src.len();
        self.owns("the stream", stream.context())?;
        self.scalars_of(f)?;
        self.operand("src", n, src)?;
        self.operand("dst", n, dst)?;
        let (x, _read) = src.device_ptr(stream);
        let (y, _written) = dst.device_ptr_mut(stream);
        let (scalars, _scalars) = f.scalars(stream);
        // SAFETY: both slices are of this context and hold `n` elements; their guards order this
        // work after what was queued on them, and what follows after it.
        unsafe { self.raw(stream).forward(f.function(), scalars, T::DTYPE, [x, y], n as u64) }
    }

    /// `x[i] = f(x[i])`.
    ///
    /// # Errors
    /// As [`Cuda::forward`].
    pub fn forward_in_place<T: Element>(
        &self,
        stream: &CudaStream,
        f: &impl Scaled,
        x: &mut impl DevicePtrMut<T>,
    ) -> Result<(), Error> {
        let n = x.len();
        self.owns("the stream", stream.context())?;
        self.scalars_of(f)?;
        self.operand("x", n, x)?;
        let (x, _written) = x.device_ptr_mut(stream);
        let (scalars, _scalars) = f.scalars(stream);
        // SAFETY: as in `forward`; source and destination are the same elements.
        unsafe { self.raw(stream).forward(f.function(), scalars, T::DTYPE, [x, x], n as u64) }
    }

    /// The Q8_0 blocks of `f(src[i])`: 34 bytes for 32 values, the same as the CPU's quantizer
    /// makes of the activated values in f32.
    ///
    /// # Errors
    /// If `src` is not a multiple of 32, or as [`Cuda::forward`].
    pub fn forward_q8_0<T: Element>(
        &self,
        stream: &CudaStream,
        f: &impl Scaled,
        src: &impl DevicePtr<T>,
        blocks: &mut impl DevicePtrMut<u8>,
    ) -> Result<(), Error> {
        let n = src.len();
        self.owns("the stream", stream.context())?;
        self.scalars_of(f)?;
        self.operand("src", n, src)?;
        self.operand("blocks", n / 32 * 34, blocks)?;
        let (x, _read) = src.device_ptr(stream);
        let (y, _written) = blocks.device_ptr_mut(stream);
        let (scalars, _scalars) = f.scalars(stream);
        // SAFETY: as in `forward`; `blocks` has room for every whole block.
        unsafe { self.raw(stream).forward_q8_0(f.function(), scalars, T::DTYPE, [x, y], n as u64) }
    }

    /// `dst[i] = silu(gate[i]) * up[i]`.
    ///
    /// # Errors
    /// As [`Cuda::forward`].
    pub fn swiglu<T: Element>(
        &self,
        stream: &CudaStream,
        gate: &impl DevicePtr<T>,
        up: &impl DevicePtr<T>,
        dst: &mut impl DevicePtrMut<T>,
    ) -> Result<(), Error> {
        let n = gate.len();
        self.owns("the stream", stream.context())?;
        self.operand("gate", n, gate)?;
        self.operand("up", n, up)?;
        self.operand("dst", n, dst)?;
        let (gate, _gate) = gate.device_ptr(stream);
        let (up, _up) = up.device_ptr(stream);
        let (y, _written) = dst.device_ptr_mut(stream);
        // SAFETY: as in `forward`.
        unsafe { self.raw(stream).swiglu(T::DTYPE, [gate, up, y], n as u64) }
    }

    /// The Q8_0 blocks of `silu(gate[i]) * up[i]`, as [`Cuda::forward_q8_0`].
    ///
    /// # Errors
    /// As [`Cuda::forward_q8_0`].
    pub fn swiglu_q8_0<T: Element>(
        &self,
        stream: &CudaStream,
        gate: &impl DevicePtr<T>,
        up: &impl DevicePtr<T>,
        blocks: &mut impl DevicePtrMut<u8>,
    ) -> Result<(), Error> {
        let n = gate.len();
        self.owns("the stream", stream.context())?;
        self.operand("gate", n, gate)?;
        self.operand("up", n, up)?;
        self.operand("blocks", n / 32 * 34, blocks)?;
        let (gate, _gate) = gate.device_ptr(stream);
        let (up, _up) = up.device_ptr(stream);
        let (y, _written) = blocks.device_ptr_mut(stream);
        // SAFETY: as in `forward_q8_0`.
        unsafe { self.raw(stream).swiglu_q8_0(T::DTYPE, [gate, up, y], n as u64) }
    }

    /// `dx[i] = dy[i] * f'(x[i])`, and the gradients by the stored alphas **added** to
    /// `gradients` (`None`: not computed, as for ReLU²).
    ///
    /// # Errors
    /// If `gradients` was made for fewer elements, or as [`Cuda::forward`].
    pub fn backward<T: Element>(
        &self,
        stream: &CudaStream,
        f: &impl Scaled,
        x: &impl DevicePtr<T>,
        dy: &impl DevicePtr<T>,
        dx: &mut impl DevicePtrMut<T>,
        gradients: Option<&mut Gradients>,
    ) -> Result<(), Error> {
        let n = x.len();
        self.owns("the stream", stream.context())?;
        self.scalars_of(f)?;
        self.operand("x", n, x)?;
        self.operand("dy", n, dy)?;
        self.operand("dx", n, dx)?;
        let (x, _x) = x.device_ptr(stream);
        let (dy, _dy) = dy.device_ptr(stream);
        let (dx, _dx) = dx.device_ptr_mut(stream);
        let mut operands = Backward { x, dy, dx, n: n as u64, ..Backward::default() };
        let (scalars, _scalars) = f.scalars(stream);
        let raw = self.raw(stream);
        let Some(Gradients { alphas, workspace }) = gradients else {
            // SAFETY: as in `forward`.
            return unsafe { raw.backward(f.function(), scalars, T::DTYPE, &operands) };
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
        // SAFETY: as in `forward`; `alphas` holds two elements, the workspace what is needed.
        unsafe { raw.backward(f.function(), scalars, T::DTYPE, &operands) }
    }

    /// `d_gate[i] = dy[i] * up[i] * silu'(gate[i])` and `d_up[i] = dy[i] * silu(gate[i])`.
    ///
    /// # Errors
    /// As [`Cuda::forward`].
    pub fn swiglu_backward<T: Element>(
        &self,
        stream: &CudaStream,
        [gate, up, dy]: [&impl DevicePtr<T>; 3],
        [d_gate, d_up]: [&mut impl DevicePtrMut<T>; 2],
    ) -> Result<(), Error> {
        let n = gate.len();
        self.owns("the stream", stream.context())?;
        for (what, slice) in [("gate", gate), ("up", up), ("dy", dy)] {
            self.operand(what, n, slice)?;
        }
        self.operand("d_gate", n, &*d_gate)?;
        self.operand("d_up", n, &*d_up)?;
        let (gate, _gate) = gate.device_ptr(stream);
        let (up, _up) = up.device_ptr(stream);
        let (dy, _dy) = dy.device_ptr(stream);
        let (d_gate, _d_gate) = d_gate.device_ptr_mut(stream);
        let (d_up, _d_up) = d_up.device_ptr_mut(stream);
        let n = n as u64;
        let operands = SwigluBackward { gate, up, dy, d_gate, d_up, n, accumulate: false };
        // SAFETY: as in `forward`.
        unsafe { self.raw(stream).swiglu_backward(T::DTYPE, &operands) }
    }
}
