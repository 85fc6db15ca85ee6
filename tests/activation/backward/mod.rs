//! Gradients on slices.

mod same_bits;
mod truth;

use xielu::activation::AlphaGradients;
use xielu::activation::reference::{Gradients, Xielu, Xiprelu};
use xielu::{Backend, Executor, RawXielu};
use xielu_testing::noise::Noise;

use crate::stored::Stored;

/// That many threads, new ones each time.
pub struct Threads(pub usize);

impl Executor for Threads {
    fn threads(&self) -> usize {
        self.0
    }
    fn join(&self, a: &mut (dyn FnMut() + Send), b: &mut (dyn FnMut() + Send)) {
        std::thread::scope(|scope| {
            scope.spawn(b);
            a();
        });
    }
}

/// A function with learned alphas, in its three forms.
#[derive(Clone, Copy, Debug)]
pub enum Form {
    Ideal,
    Eps,
    Xiprelu,
}

pub use Form::{Eps, Ideal};

impl Form {
    pub fn run<T: Stored>(
        self,
        backend: &Backend<'_>,
        raw: &RawXielu,
        x: &[T],
        dy: &[T],
    ) -> (Vec<T>, AlphaGradients) {
        let mut dx = vec![T::narrow(77.0); x.len()];
        let backward = match self {
            Form::Ideal => RawXielu::backward,
            Form::Eps => RawXielu::backward_with_eps,
            Form::Xiprelu => RawXielu::backward_xiprelu,
        };
        let gradients = backward(raw, backend, [x, dy], &mut dx).unwrap();
        (dx, gradients)
    }

    /// In f64, of one element.
    pub fn truth(self, raw: &RawXielu, x: f64) -> Gradients {
        match self {
            Form::Ideal => Xielu::new(raw).gradients(raw, x),
            Form::Eps => Xielu::with_eps(raw).gradients(raw, x),
            Form::Xiprelu => Xiprelu::new(raw).gradients(raw, x),
        }
    }

    pub fn forward(self, raw: &RawXielu, x: f64) -> f64 {
        match self {
            Form::Ideal => Xielu::new(raw).forward(x),
            Form::Eps => Xielu::with_eps(raw).forward(x),
            Form::Xiprelu => Xiprelu::new(raw).forward(x),
        }
    }
}

pub const FORMS: [Form; 3] = [Ideal, Eps, Form::Xiprelu];

/// Stored scalars: fresh ones, and those of trained layers.
pub fn raws() -> [RawXielu; 3] {
    let raw = |alpha_p, alpha_n| RawXielu { alpha_p, alpha_n, ..RawXielu::PAPER_INIT };
    [RawXielu::PAPER_INIT, raw(17.75, 5.78), raw(166.0, 40.75)]
}

/// About nine in ten negative, as in trained layers, and what flows back to them.
pub fn layer<T: Stored>(n: usize) -> [Vec<T>; 2] {
    let mut noise = Noise::from_state(0x9e37_79b9_7f4a_7c15);
    let x = (0..n).map(|_| T::narrow(4.0 * noise.unit() - 3.6)).collect();
    let dy = (0..n).map(|_| T::narrow(2.0 * noise.unit() - 1.1)).collect();
    [x, dy]
}
