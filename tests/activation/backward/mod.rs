//! Gradients on slices.

mod same_bits;
mod truth;

use xielu::activation::reference::{self, Gradients};
use xielu::activation::{AlphaGradients, Differentiable, Form, Xiprelu};
use xielu::{Backend, Error, Executor, RawXielu};
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

/// A function with learned alphas.
#[derive(Clone, Copy, Debug)]
pub enum Learned {
    Xielu(Form),
    Xiprelu,
}

pub const IDEAL: Learned = Learned::Xielu(Form::Ideal);
pub const CLAMPED: Learned = Learned::Xielu(Form::Clamped);

impl Learned {
    pub fn run<T: Stored>(
        self,
        backend: &Backend<'_>,
        raw: &RawXielu,
        x: &[T],
        dy: &[T],
    ) -> (Vec<T>, AlphaGradients) {
        let mut dx = vec![T::narrow(77.0); x.len()];
        let gradients = self.backward(backend, raw, [x, dy], &mut dx).unwrap();
        (dx, gradients)
    }

    pub fn backward<T: Stored>(
        self,
        backend: &Backend<'_>,
        raw: &RawXielu,
        [x, dy]: [&[T]; 2],
        dx: &mut [T],
    ) -> Result<AlphaGradients, Error> {
        match self {
            Learned::Xielu(form) => raw.freeze(form).backward(backend, x, dy, dx),
            Learned::Xiprelu => Xiprelu::freeze(raw).backward(backend, x, dy, dx),
        }
    }

    /// In f64, of one element.
    pub fn truth(self, raw: &RawXielu, x: f64) -> Gradients {
        match self {
            Learned::Xielu(form) => reference::Xielu::new(raw, form).gradients(raw, x),
            Learned::Xiprelu => reference::Xiprelu::new(raw).gradients(raw, x),
        }
    }

    pub fn forward(self, raw: &RawXielu, x: f64) -> f64 {
        match self {
            Learned::Xielu(form) => reference::Xielu::new(raw, form).forward(x),
            Learned::Xiprelu => reference::Xiprelu::new(raw).forward(x),
        }
    }
}

pub const FUNCTIONS: [Learned; 3] = [IDEAL, CLAMPED, Learned::Xiprelu];

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
