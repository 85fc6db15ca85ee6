//! Activations on CUDA devices.

use crate::cuda::cudarc::driver::{CudaStream, DevicePtr, DevicePtrMut};
use crate::cuda::{Activation, Coefficients, Cuda, Element, Error};

use super::reference::sigmoid;
use super::{RawXielu, Relu2, Swiglu, Xielu, Xiprelu};

impl From<Xielu> for Activation {
    fn from(f: Xielu) -> Activation {
        Activation::xielu(Coefficients::new(f.alpha_p, f.alpha_n, f.beta).with_eps(f.eps))
    }
}

impl From<Xiprelu> for Activation {
    fn from(f: Xiprelu) -> Activation {
        Activation::xiprelu(Coefficients::new(f.alpha_p, f.alpha_n, f.beta))
    }
}

impl From<Relu2> for Activation {
    fn from(_: Relu2) -> Activation {
        Activation::RELU2
    }
}

macro_rules! forward_cuda {
    ($($function:ty),+) => {
        $(impl $function {
            /// `dst[i] = f(src[i])` on a device: the same bits as on the CPU.
            ///
            /// # Errors
            /// If lengths differ, a slice is of another context, or the launch fails.
            pub fn forward_cuda<T: Element>(
                self,
                cuda: &Cuda,
                stream: &CudaStream,
                src: &impl DevicePtr<T>,
                dst: &mut impl DevicePtrMut<T>,
            ) -> Result<(), Error> {
                cuda.forward(stream, &Activation::from(self), src, dst)
            }

            /// `x[i] = f(x[i])` on a device.
            ///
            /// # Errors
            /// As `forward_cuda`.
            pub fn forward_in_place_cuda<T: Element>(
                self,
                cuda: &Cuda,
                stream: &CudaStream,
                x: &mut impl DevicePtrMut<T>,
            ) -> Result<(), Error> {
                cuda.forward_in_place(stream, &Activation::from(self), x)
            }
        })+
    };
}

forward_cuda!(Xielu, Xiprelu, Relu2);

impl Swiglu {
    /// `dst[i] = silu(gate[i]) * up[i]` on a device: the same bits as on the CPU.
    ///
    /// # Errors
    /// If lengths differ, a slice is of another context, or the launch fails.
    pub fn forward_cuda<T: Element>(
        self,
        cuda: &Cuda,
        stream: &CudaStream,
        gate: &impl DevicePtr<T>,
        up: &impl DevicePtr<T>,
        dst: &mut impl DevicePtrMut<T>,
    ) -> Result<(), Error> {
        cuda.swiglu(stream, gate, up, dst)
    }
}

impl RawXielu {
    /// xIELU with what [`Cuda::backward`] needs for the gradients of the stored alphas.
    pub fn cuda(&self) -> Activation {
        self.with_sigmoids(self.freeze().into(), Activation::xielu)
    }

    /// The same with the clamp of [`RawXielu::freeze_with_eps`].
    pub fn cuda_with_eps(&self) -> Activation {
        self.with_sigmoids(self.freeze_with_eps().into(), Activation::xielu)
    }

    /// The same for xIPReLU.
    pub fn cuda_xiprelu(&self) -> Activation {
        self.with_sigmoids(self.freeze_xiprelu().into(), Activation::xiprelu)
    }

    fn with_sigmoids(&self, f: Activation, make: fn(Coefficients) -> Activation) -> Activation {
        let [p, n] = [self.alpha_p, self.alpha_n].map(|raw| sigmoid(raw.into()));
        make(f.coefficients().with_sigmoids(p, n))
    }
}
