//! Flash of the GGUF reader and an MLP layer whose shape the program knows.
#![no_std]
#![no_main]

#[path = "../size.rs"]
mod size;

use xielu::checkpoint::gguf::Gguf;
use xielu::{Backend, Config, Mlp};

#[unsafe(no_mangle)]
fn _start(file: &[u8], config: &Config, x: &[f32], y: &mut [f32], scratch: &mut [f32]) -> bool {
    let Ok(gguf) = Gguf::parse(file) else { return false };
    let Ok(mlp) = Mlp::load(&gguf, config, 0) else { return false };
    mlp.forward_tiled(&Backend::default(), 256, x, y, scratch).is_ok()
}
