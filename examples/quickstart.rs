//! One MLP layer of a trained model on your own vectors: whole, and in tiles.
//!
//! `cargo run --release --example quickstart`

use xielu::activation::Form;
use xielu::checkpoint::Checkpoint as _;
use xielu::checkpoint::gguf::Gguf;
use xielu::{Backend, Mlp};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Any bytes will do: a file, a memory map, `include_bytes!`, flash. Nothing is copied.
    let bytes = std::fs::read("models/tiny-Q8_0.gguf")?;
    let gguf = Gguf::parse(&bytes)?;
    let config = gguf.config()?;
    let alphas = gguf.raw_xielu(0)?.freeze(Form::Ideal);
    println!("layer 0: alpha_p {:.4}, alpha_n {:.4}", alphas.alpha_p(), alphas.alpha_n());

    let mlp = Mlp::load(&gguf, &config, 0)?;
    let x: Vec<f32> = (0..config.hidden_size).map(|i| (i as f32 * 0.1).sin()).collect();

    // The hidden vector held whole.
    let backend = Backend::default();
    let mut scratch = vec![0.0; mlp.scratch_len(config.intermediate_size, 1)];
    let mut whole = vec![0.0; config.hidden_size];
    mlp.forward(&backend, &x, &mut whole, &mut scratch)?;
    println!("whole: {:.4?} ..., {} bytes of scratch", &whole[..4], scratch.len() * 4);

    // In tiles of 32 hidden values: a fraction of the memory, the same result.
    let mut scratch = vec![0.0; mlp.scratch_len(32, 1)];
    let mut tiled = vec![0.0; config.hidden_size];
    mlp.forward_tiled(&backend, 32, &x, &mut tiled, &mut scratch)?;
    println!("tiled: {:.4?} ..., {} bytes of scratch", &tiled[..4], scratch.len() * 4);
    Ok(())
}
