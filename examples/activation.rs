//! The activation alone: freeze a layer's stored scalars, run it on a slice, and print how
//! accurate every function is.
//!
//! `cargo run --example activation`

use xielu::activation::accuracy::TABLE;
use xielu::activation::{Elementwise, Form, reference};
use xielu::{Backend, RawXielu};

fn main() -> Result<(), xielu::Error> {
    let raw = RawXielu::PAPER_INIT.checked()?;
    let f = raw.freeze(Form::Ideal);
    println!(
        "xIELU with alpha_p = {}, alpha_n = {}, beta = {}",
        f.alpha_p(),
        f.alpha_n(),
        f.beta()
    );

    let backend = Backend::default();
    let x = [f32::NEG_INFINITY, -10.0, -2.43, -1.0, -1e-3, 0.0, 1e-3, 1.0, 10.0];
    let mut y = [0.0; 9];
    f.forward(&backend, &x, &mut y)?;
    let truth = reference::Xielu::new(&raw, Form::Ideal);
    println!(
        "{:>8} {:>14} {:>14} {:>10}   ({})",
        "x",
        "f(x)",
        "in f64",
        "f'(x)",
        backend.kernels.isa()
    );
    for (x, y) in x.into_iter().zip(y) {
        let wide = f64::from(x);
        let slope = truth.derivative(wide);
        println!("{x:8} {y:14.7e} {:14.7e} {slope:10.6}", truth.forward(wide));
    }

    println!("\nLargest errors, every instruction set:");
    for line in TABLE {
        println!("  {line}");
    }
    Ok(())
}
