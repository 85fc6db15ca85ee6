//! Writes a model with random weights, for measuring speed:
//! `cargo run --release --example random_model -- SHAPE TYPE FILE`, for example `1.1B q4_k_m`.

#[path = "../benches/support/random_model.rs"]
mod random_model;

use std::path::Path;
use std::process::ExitCode;

use random_model::{SHAPES, Shape};

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [shape, types, path] = &args[..] else {
        let shapes = SHAPES.map(|shape| shape.name).join("|");
        eprintln!("usage: random_model {shapes} TYPE FILE");
        return ExitCode::from(2);
    };
    match write(shape, types, path) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn write(shape: &str, types: &str, path: &str) -> Result<(), Box<dyn std::error::Error>> {
    let (shape, types) = (Shape::named(shape)?, types.parse()?);
    let config = random_model::write(Path::new(path), &shape, &types)?;
    let bytes = std::fs::metadata(path)?.len();
    println!("{path}: {} layers, {:.1} MB", config.num_layers, bytes as f64 / 1e6);
    Ok(())
}
