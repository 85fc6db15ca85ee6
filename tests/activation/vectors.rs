//! Conformance: 12 parameter sets by 366 inputs, truth computed with 60 digits.

use serde_json::Value;
use xielu::RawXielu;
use xielu::activation::reference::{Gradients, Xielu as Reference};
use xielu::activation::{Elementwise, Xielu};
use xielu::kernels::Kernels;
use xielu_testing::kernels::every_kernel;

#[derive(Clone, Copy)]
struct Row {
    x: f32,
    y: f64,
    gradients: Gradients,
}

struct Set {
    name: String,
    raw: RawXielu,
    alphas: [f64; 2],
    ideal: Vec<Row>,
    eps: Vec<Row>,
}

fn text(v: &Value) -> &str {
    v.as_str().unwrap()
}

fn f32_bits(v: &Value) -> f32 {
    f32::from_bits(u32::from_str_radix(text(v), 16).unwrap())
}

fn f64_bits(v: &Value) -> f64 {
    f64::from_bits(u64::from_str_radix(text(v), 16).unwrap())
}

/// The derivative by raw_p does not depend on eps and is listed once, with the ideal form.
fn row(v: &Value, form: &str) -> Row {
    let gradients = Gradients {
        dx: f64_bits(&v[form]["dy_dx"]),
        draw_p: f64_bits(&v["ideal"]["dy_draw_p"]),
        draw_n: f64_bits(&v[form]["dy_draw_n"]),
    };
    Row { x: f32_bits(&v["x"]), y: f64_bits(&v[form]["y"]), gradients }
}

fn sets() -> Vec<Set> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/xielu_vectors.json");
    let file: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    assert_eq!(file["format"], "xielu-vectors-1");
    let number = |key: &str| file[key].as_f64().unwrap() as f32;
    let sets: Vec<Set> = file["sets"]
        .as_array()
        .unwrap()
        .iter()
        .map(|set| {
            let rows = set["rows"].as_array().unwrap();
            assert_eq!(rows.len(), 366);
            Set {
                name: text(&set["name"]).into(),
                raw: RawXielu {
                    alpha_p: f32_bits(&set["raw_alpha_p"]),
                    alpha_n: f32_bits(&set["raw_alpha_n"]),
                    beta: number("beta"),
                    eps: number("eps"),
                },
                alphas: ["p", "n"].map(|s| f64_bits(&set[format!("effective_alpha_{s}")])),
                ideal: rows.iter().map(|r| row(r, "ideal")).collect(),
                eps: rows.iter().map(|r| row(r, "eps")).collect(),
            }
        })
        .collect();
    assert_eq!(sets.len(), 12);
    sets
}

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
        let ideal = Reference::new(&set.raw);
        let [p, n] = set.alphas;
        close("alpha_p", 0.0, ideal.alpha_p, p, p);
        close("alpha_n", 0.0, ideal.alpha_n, n, n);
        for (f, rows) in [(ideal, &set.ideal), (Reference::with_eps(&set.raw), &set.eps)] {
            for &Row { x, y, gradients: g } in rows {
                let wide = f64::from(x);
                let slope = 0.5f64;
                worst =
                    worst.max(close("y", x, f.forward(wide), y, y.abs().max(slope * wide.abs())));
                let found = f.gradients(&set.raw, wide);
                worst = worst.max(close("dx", x, found.dx, g.dx, g.dx.abs().max(slope)));
                // Each has a single term: relative to itself.
                worst = worst.max(close("draw_p", x, found.draw_p, g.draw_p, g.draw_p));
                worst = worst.max(close("draw_n", x, found.draw_n, g.draw_n, g.draw_n.abs()));
            }
        }
    }
    println!("reference: worst error {worst:.2} * 2^-53 of the larger term");
    assert!(worst > 0.0);
}

/// Twice the spacing of f32 at `v`, halved: the ulp of the larger term.
fn ulp(v: f64) -> f64 {
    let up = (v as f32).next_up();
    f64::from(up) - f64::from(up.next_down())
}

fn worst_kernel_error(kernels: &Kernels, f: Xielu, rows: &[Row]) -> f64 {
    let src: Vec<f32> = rows.iter().map(|r| r.x).collect();
    let mut dst = vec![0.0; src.len()];
    f.forward(kernels, &src, &mut dst).unwrap();
    let error = |(row, &found): (&Row, &f32)| {
        if row.y.abs() > f32::MAX.into() {
            assert_eq!(found, f32::INFINITY, "x {:e}", row.x);
            return 0.0;
        }
        (f64::from(found) - row.y).abs() / ulp(row.y.abs().max(0.5 * f64::from(row.x).abs()))
    };
    rows.iter().zip(&dst).map(error).fold(0.0, f64::max)
}

/// On top of the kernel's own error (see the accuracy table) the alphas are rounded to f32,
/// which moves `alpha * x^2` and `alpha * g` by up to one ulp.
#[test]
fn kernels_agree_with_60_digits() {
    for set in sets() {
        for kernels in every_kernel() {
            let isa = kernels.isa();
            let ideal = worst_kernel_error(&kernels, set.raw.freeze(), &set.ideal);
            let eps = worst_kernel_error(&kernels, set.raw.freeze_with_eps(), &set.eps);
            println!("{:22} {isa:6} ideal {ideal:.2}, eps {eps:.2} ulp", set.name);
            let bound = if set.alphas[1] <= 1.1 { 2.0 } else { 4.6 };
            assert!(ideal.max(eps) <= bound, "{} on {isa}", set.name);
        }
    }
}
