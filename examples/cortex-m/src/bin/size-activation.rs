//! Flash of xIELU over a slice of f32, its parameters frozen on a host.
#![no_std]
#![no_main]

#[path = "../size.rs"]
mod size;

use xielu::kernels::{Activation, Coefficients, Kernels};

#[unsafe(no_mangle)]
fn _start(alphas: &[f32; 2], x: &mut [f32]) {
    let &[alpha_p, alpha_n] = alphas;
    let f = Coefficients { alpha_p, alpha_n, beta: 0.5, eps: 0.0 };
    Kernels::detect().activate_in_place(&Activation::Xielu(f), x);
}
