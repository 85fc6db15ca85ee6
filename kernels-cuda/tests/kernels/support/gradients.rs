//! Backward calls, and their truth in f64.

use xielu::activation::reference;
use xielu_kernels_cuda::{
    Activation, Backward, Coefficients, Learned, Scalars, SwigluBackward, backward_workspace_len,
};

use super::{Machine, Value, coefficients_of};

/// What a backward call leaves.
pub struct Gradients<T> {
    pub dx: Vec<T>,
    pub alphas: [f32; 2],
}

/// How a backward call is made.
#[derive(Clone, Copy)]
pub struct Call<'a> {
    pub machine: &'a Machine,
    pub blocks: u64,
    /// Offsets of x, dy and dx in elements.
    pub at: [usize; 3],
    /// What `dx` and the alphas' gradients are added to.
    pub add_to: Option<f32>,
}

impl<'a> Call<'a> {
    pub fn on(machine: &'a Machine) -> Self {
        Call { machine, blocks: 64, at: [0; 3], add_to: None }
    }

    pub fn run<T: Value>(self, f: impl Into<Learned>, x: &[T], dy: &[T]) -> Gradients<T> {
        let f = f.into();
        let kind = f.activation.kind();
        let Call { machine, blocks, at, add_to } = self;
        let [x_at, dy_at, dx_at] = at.map(|offset| offset * size_of::<T>());
        let n = x.len() as u64;
        let before = add_to.unwrap_or(7.0);
        let x = machine.copy(x, x_at);
        let dy = machine.copy(dy, dy_at);
        let dx = machine.copy(&vec![T::from_f32(before); n as usize], dx_at);
        let alphas = machine.copy(&[before; 2], 0);
        let workspace = machine.copy(&vec![0xffu8; backward_workspace_len(n) as usize], 0);
        let has_alphas = kind.has_alphas();
        let operands = Backward {
            x: x.address(),
            dy: dy.address(),
            dx: dx.address(),
            draw_p: if has_alphas { alphas.address() } else { 0 },
            draw_n: if has_alphas { alphas.address() + 4 } else { 0 },
            workspace: workspace.address(),
            n,
            accumulate_dx: add_to.is_some(),
            accumulate_alphas: add_to.is_some(),
        };
        let scalars = Scalars::from(&f);
        // SAFETY: the buffers hold what they must and outlive `read`, which waits.
        unsafe { machine.raw(blocks).backward(kind, scalars, T::STORED, &operands) }.unwrap();
        let read: Vec<f32> = alphas.read();
        workspace.read::<u8>();
        Gradients { dx: dx.read(), alphas: [read[0], read[1]] }
    }

    /// The gradients of `gate` and `up`.
    pub fn swiglu<T: Value>(self, gate: &[T], up: &[T], dy: &[T]) -> [Vec<T>; 2] {
        let Call { machine, blocks, at, add_to } = self;
        let n = gate.len();
        let before = vec![T::from_f32(add_to.unwrap_or(7.0)); n];
        let [a, b, c] = at.map(|offset| offset * size_of::<T>());
        let gate = machine.copy(gate, a);
        let up = machine.copy(up, b);
        let dy = machine.copy(dy, c);
        let d_gate = machine.copy(&before, a);
        let d_up = machine.copy(&before, b);
        let operands = SwigluBackward {
            gate: gate.address(),
            up: up.address(),
            dy: dy.address(),
            d_gate: d_gate.address(),
            d_up: d_up.address(),
            n: n as u64,
            accumulate: add_to.is_some(),
        };
        // SAFETY: the buffers hold `n` elements and outlive `read`, which waits.
        unsafe { machine.raw(blocks).swiglu_backward(T::STORED, &operands) }.unwrap();
        [d_gate.read(), d_up.read()]
    }
}

/// `f'(x)` and the derivatives by the effective alphas.
#[derive(Clone, Copy)]
pub struct Truth {
    pub dx: f64,
    pub alpha_p: f64,
    pub alpha_n: f64,
}

/// In f64, with the scalars as the kernel has them.
pub fn truth(f: &Activation, x: f64) -> Truth {
    let Coefficients { alpha_p, alpha_n, beta, eps } = coefficients_of(f);
    let [alpha_p, alpha_n, beta] = [alpha_p, alpha_n, beta].map(f64::from);
    match f {
        Activation::Relu2 => {
            Truth { dx: reference::relu2_derivative(x), alpha_p: 0.0, alpha_n: 0.0 }
        }
        Activation::Xiprelu(_) => {
            let dx = reference::Xiprelu { alpha_p, alpha_n, beta }.derivative(x);
            let [p, n] = if x > 0.0 { [x * x, 0.0] } else { [0.0, x * x] };
            Truth { dx, alpha_p: p, alpha_n: n }
        }
        Activation::Xielu(_) => {
            let eps = (eps != 0.0).then_some(f64::from(eps));
            let f = reference::Xielu { alpha_p, alpha_n, beta, eps };
            Truth { dx: f.derivative(x), alpha_p: f.d_alpha_p(x), alpha_n: f.d_alpha_n(x) }
        }
        other => unreachable!("{other:?} has no kernel"),
    }
}
