//! Conformance: 12 parameter sets by 366 inputs, truth computed with 60 digits.

use xielu::Backend;
use xielu::activation::reference::Xielu as Reference;
use xielu::activation::{Elementwise, Form, Xielu};
use xielu_testing::kernels::every_backend;
use xielu_testing::ulp;
use xielu_testing::vectors::{Row, sets};

/// Asserts `|found - expected| <= 2^-48 * scale`; returns the error in units of 2^-53 * scale.
fn close(what: &str, x: f32, found: f64, expected: f64, scale: f64) -> f64 {
    if found == expected {
        return 0.0;
    }
    let error = (found - expected).abs() / scale;
    assert!(error <= 2f64.powi(-48), "{what} at {x:e}: {found:e}, expected {expected:e}");
    error * 2f64.powi(53)
}

#[test]
fn reference_agrees_with_60_digits() {
    let mut worst = 0f64;
    for set in sets() {
        let ideal = Reference::new(&set.raw, Form::Ideal);
        let [p, n] = set.alphas;
        close("alpha_p", 0.0, ideal.alpha_p, p, p);
        close("alpha_n", 0.0, ideal.alpha_n, n, n);
        for (f, rows) in [(ideal, &set.ideal), (Reference::new(&set.raw, Form::Clamped), &set.eps)]
        {
            for &Row { x, y, dx, draw } in rows {
                let wide = f64::from(x);
                let slope = 0.5f64;
                worst =
                    worst.max(close("y", x, f.forward(wide), y, y.abs().max(slope * wide.abs())));
                let found = f.gradients(&set.raw, wide);
                worst = worst.max(close("dx", x, found.dx, dx, dx.abs().max(slope)));
                // Each has a single term: relative to itself.
                worst = worst.max(close("draw_p", x, found.draw_p, draw[0], draw[0]));
                worst = worst.max(close("draw_n", x, found.draw_n, draw[1], draw[1].abs()));
            }
        }
    }
    println!("reference: worst error {worst:.2} * 2^-53 of the larger term");
    assert!(worst > 0.0);
}

fn worst_kernel_error(backend: &Backend<'_>, f: Xielu, rows: &[Row]) -> f64 {
    let src: Vec<f32> = rows.iter().map(|r| r.x).collect();
    let mut dst = vec![0.0; src.len()];
    f.forward(backend, &src, &mut dst).unwrap();
    let error = |(row, &found): (&Row, &f32)| {
        ulp::error(found.into(), row.y, row.y.abs().max(0.5 * f64::from(row.x).abs()))
    };
    rows.iter().zip(&dst).map(error).fold(0.0, f64::max)
}

/// On top of the kernel's own error (see the accuracy table) the alphas are rounded to f32,
/// which moves `alpha * x^2` and `alpha * g` by up to one ulp.
#[test]
fn kernels_agree_with_60_digits() {
    for set in sets() {
        for backend in every_backend() {
            let isa = backend.kernels.isa();
            let ideal = worst_kernel_error(&backend, set.raw.freeze(Form::Ideal), &set.ideal);
            let eps = worst_kernel_error(&backend, set.raw.freeze(Form::Clamped), &set.eps);
            println!("{:22} {isa:6} ideal {ideal:.2}, eps {eps:.2} ulp", set.name);
            let bound = if set.alphas[1] <= 1.1 { 2.0 } else { 4.6 };
            assert!(ideal.max(eps) <= bound, "{} on {isa}", set.name);
        }
    }
}
