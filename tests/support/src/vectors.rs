//! Conformance vectors of xIELU: 12 parameter sets by 366 inputs, computed with 60 digits.

use serde_json::Value;
use xielu::RawXielu;

use crate::in_repository;

/// One input, and the truth.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The input.
    pub x: f32,
    /// `f(x)`.
    pub y: f64,
    /// `f'(x)`.
    pub dx: f64,
    /// The derivatives by the stored scalars.
    pub draw: [f64; 2],
}

/// The rows of one pair of stored scalars.
pub struct Set {
    /// What it is called.
    pub name: String,
    /// The stored scalars.
    pub raw: RawXielu,
    /// The effective alphas, positive and negative.
    pub alphas: [f64; 2],
    /// Rows of the ideal form.
    pub ideal: Vec<Row>,
    /// Rows of the reference implementation's form, with `eps`.
    pub eps: Vec<Row>,
}

/// Every set.
///
/// # Panics
/// If the file is not as it should be.
pub fn sets() -> Vec<Set> {
    let file = std::fs::read(in_repository("tests/data/xielu_vectors.json")).unwrap();
    let file: Value = serde_json::from_slice(&file).unwrap();
    assert_eq!(file["format"], "xielu-vectors-1");
    let number = |key: &str| file[key].as_f64().unwrap() as f32;
    let [beta, eps] = ["beta", "eps"].map(number);
    let sets: Vec<Set> = list(&file["sets"]).iter().map(|set| of_file(set, beta, eps)).collect();
    assert_eq!(sets.len(), 12);
    sets
}

fn of_file(set: &Value, beta: f32, eps: f32) -> Set {
    let rows = list(&set["rows"]);
    assert_eq!(rows.len(), 366);
    let [alpha_p, alpha_n] = ["raw_alpha_p", "raw_alpha_n"].map(|key| f32_bits(&set[key]));
    Set {
        name: text(&set["name"]).into(),
        raw: RawXielu { alpha_p, alpha_n, beta, eps },
        alphas: ["p", "n"].map(|s| f64_bits(&set[format!("effective_alpha_{s}")])),
        ideal: rows.iter().map(|r| row(r, "ideal")).collect(),
        eps: rows.iter().map(|r| row(r, "eps")).collect(),
    }
}

/// The derivative by raw_p does not depend on eps and is listed once, with the ideal form.
fn row(v: &Value, form: &str) -> Row {
    Row {
        x: f32_bits(&v["x"]),
        y: f64_bits(&v[form]["y"]),
        dx: f64_bits(&v[form]["dy_dx"]),
        draw: [f64_bits(&v["ideal"]["dy_draw_p"]), f64_bits(&v[form]["dy_draw_n"])],
    }
}

fn list(v: &Value) -> &[Value] {
    v.as_array().unwrap()
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
