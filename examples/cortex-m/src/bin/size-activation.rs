//! Flash of xIELU over a slice of f32, its parameters frozen on a host.
#![no_std]
#![no_main]

#[path = "../size.rs"]
mod size;

use xielu::kernels::{Activation, Kernels, XieluCoefficients};

#[unsafe(no_mangle)]
fn _start(alphas: &[f32; 2], x: &mut [f32]) {
    let &[alpha_p, alpha_n] = alphas;
    let f = XieluCoefficients { alpha_p, alpha_n, beta: 0.5, eps: 0.0 };
    Kernels::detect().activate_f32_in_place(&Activation::Xielu(f), x);
}
