//! Writes the trained test model in widths that are multiples of 256, for measuring the K-quants:
//! `cargo run --features safetensors --example widened -- DIR`.

use std::path::Path;

use xielu_testing::widened;

fn main() {
    let Some(target) = std::env::args_os().nth(1) else {
        eprintln!("usage: widened DIR");
        std::process::exit(2);
    };
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/tiny");
    std::fs::create_dir_all(&target).expect("the directory can be made");
    widened::write_widened(&source, Path::new(&target));
}
