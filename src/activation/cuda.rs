//! Activations on a stream of a CUDA device.

use super::{Device, Element, Xielu, Xiprelu};
use crate::cuda::cudarc::driver::{DevicePtr, DevicePtrMut};
use crate::cuda::{Error, Gradients, Learned, OnStream};
use crate::kernels::Activation;

/// Queued on the stream: nothing is waited for. The gradients of stored alphas stay on the device,
/// allocated for the call; `OnStream::backward` adds them to others instead.
impl Device for OnStream<'_> {
    type Slice<'a, T: Element> = &'a dyn DevicePtr<T>;
    type SliceMut<'a, T: Element> = &'a mut dyn DevicePtrMut<T>;
    type AlphaGradients = Gradients;
    type Error = Error;

    fn forward<T: Element>(
        &self,
        f: &Activation,
        x: &dyn DevicePtr<T>,
        y: &mut dyn DevicePtrMut<T>,
    ) -> Result<(), Error> {
        OnStream::forward(self, f, x, y)
    }

    fn forward_in_place<T: Element>(
        &self,
        f: &Activation,
        x: &mut dyn DevicePtrMut<T>,
    ) -> Result<(), Error> {
        OnStream::forward_in_place(self, f, x)
    }

    fn backward<T: Element>(
        &self,
        f: &Activation,
        x: &dyn DevicePtr<T>,
        dy: &dyn DevicePtr<T>,
        dx: &mut dyn DevicePtrMut<T>,
    ) -> Result<(), Error> {
        OnStream::backward(self, f, x, dy, dx, None)
    }

    fn backward_alphas<T: Element>(
        &self,
        f: &Activation,
        slopes: [f64; 2],
        x: &dyn DevicePtr<T>,
        dy: &dyn DevicePtr<T>,
        dx: &mut dyn DevicePtrMut<T>,
    ) -> Result<Gradients, Error> {
        let mut gradients = Gradients::new(self.stream(), x.len())?;
        let f = Learned { activation: *f, slopes };
        OnStream::backward(self, &f, x, dy, dx, Some(&mut gradients))?;
        Ok(gradients)
    }

    fn swiglu<T: Element>(
        &self,
        x: [&dyn DevicePtr<T>; 2],
        y: &mut dyn DevicePtrMut<T>,
    ) -> Result<(), Error> {
        OnStream::swiglu(self, x, y)
    }

    fn swiglu_in_place<T: Element>(
        &self,
        gate: &dyn DevicePtr<T>,
        up: &mut dyn DevicePtrMut<T>,
    ) -> Result<(), Error> {
        OnStream::swiglu_in_place(self, gate, up)
    }

    fn swiglu_backward<T: Element>(
        &self,
        x: [&dyn DevicePtr<T>; 2],
        dy: &dyn DevicePtr<T>,
        dx: [&mut dyn DevicePtrMut<T>; 2],
    ) -> Result<(), Error> {
        OnStream::swiglu_backward(self, x, dy, dx)
    }
}

impl From<Xielu> for Learned {
    fn from(f: Xielu) -> Learned {
        Learned { activation: f.into(), slopes: f.alpha_slopes() }
    }
}

impl From<Xiprelu> for Learned {
    fn from(f: Xiprelu) -> Learned {
        Learned { activation: f.into(), slopes: f.alpha_slopes() }
    }
}
