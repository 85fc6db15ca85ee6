//! The C functions on MLP layers: Rust's bits, and a status for every bad input.
#![cfg(feature = "capi")]

mod capi_support;

use std::ptr::{null, null_mut};

use capi_support::{Memory, config_of, model_bytes, off, open, zeroed};
use xielu::capi::*;
use xielu::checkpoint::Checkpoint as _;
use xielu::checkpoint::gguf::Gguf;
use xielu::{Backend, Mlp};

/// An MLP of the bundled model, its input and the memory of a run.
struct Layer {
    _bytes: Vec<u8>,
    mlp: Box<xielu_mlp>,
    x: Vec<f32>,
    y: Vec<f32>,
}

const TOKENS: usize = 3;

fn layer(index: usize) -> Layer {
    let bytes = model_bytes();
    let file = open(&bytes);
    let mut mlp = Box::new(zeroed());
    // SAFETY: all are live.
    assert_eq!(unsafe { xielu_mlp_load(&*file, index, &mut *mlp) }, Status::Ok);
    let x: Vec<f32> = (0..TOKENS * 128).map(|i| (i as f32 * 0.1).sin()).collect();
    Layer { _bytes: bytes, mlp, y: vec![f32::NAN; x.len()], x }
}

fn scratch_size(config: &xielu_config, tile: usize) -> usize {
    let mut size = 0;
    // SAFETY: both are live.
    assert_eq!(unsafe { xielu_mlp_scratch_size(config, tile, TOKENS, &mut size) }, Status::Ok);
    size
}

#[test]
fn an_mlp_gives_rusts_bits() {
    let bytes = model_bytes();
    let gguf = Gguf::parse(&bytes).unwrap();
    let config = gguf.config().unwrap();
    for tile in [0, 32, 96, 672, usize::MAX] {
        let mut l = layer(2);
        let rust_tile = if tile == 0 { 672 } else { tile.min(672) };
        let len = Mlp::scratch_len(128, rust_tile, TOKENS);
        assert_eq!(scratch_size(&config.into(), tile), len * 4);
        let mut expected = vec![0.0; l.x.len()];
        let mlp = Mlp::load(&gguf, &config, 2).unwrap();
        let mut scratch = vec![0.0; len];
        mlp.forward_tiled(&Backend::default(), rust_tile, &l.x, &mut expected, &mut scratch)
            .unwrap();
        let mut scratch = Memory::new(len * 4);
        // SAFETY: all are live.
        let status = unsafe {
            let (y, n) = (l.y.as_mut_ptr(), l.y.len());
            xielu_mlp_run(&*l.mlp, tile, l.x.as_ptr(), y, n, scratch.at(), scratch.size)
        };
        assert_eq!((status, &l.y), (Status::Ok, &expected), "tile {tile}");
    }
}

#[test]
fn bad_mlps_are_refused() {
    let bytes = model_bytes();
    let file = open(&bytes);
    let inside = bytes.as_ptr().wrapping_add(bytes.as_ptr().align_offset(8)).cast_mut();
    let mut mlp = zeroed::<xielu_mlp>();
    let config = config_of(&file);
    let mut size = 7;
    // SAFETY: the good pointers are live; the others are refused.
    unsafe {
        assert_eq!(xielu_mlp_load(&zeroed(), 0, &mut mlp), Status::Uninitialized);
        assert_eq!(xielu_mlp_load(null(), 0, &mut mlp), Status::Null);
        assert_eq!(xielu_mlp_load(off(&*file), 0, &mut mlp), Status::Misaligned);
        assert_eq!(xielu_mlp_load(&*file, 0, null_mut()), Status::Null);
        assert_eq!(xielu_mlp_load(&*file, 0, off(&mlp)), Status::Misaligned);
        assert_eq!(xielu_mlp_load(&*file, 0, inside.cast()), Status::Overlap);
        assert_eq!(xielu_mlp_load(&*file, 4, &mut mlp), Status::Layer);
        assert_eq!(xielu_mlp_load(&*file, usize::MAX, &mut mlp), Status::Layer);

        assert_eq!(xielu_mlp_scratch_size(null(), 32, 1, &mut size), Status::Null);
        assert_eq!(xielu_mlp_scratch_size(&config, 32, 1, null_mut()), Status::Null);
        assert_eq!(xielu_mlp_scratch_size(off(&config), 32, 1, &mut size), Status::Misaligned);
        assert_eq!(xielu_mlp_scratch_size(&config, 32, 1, off(&size)), Status::Misaligned);
        assert_eq!(xielu_mlp_scratch_size(&zeroed(), 32, 1, &mut size), Status::Config);
        let unknown = xielu_config { activation: 99, ..config };
        assert_eq!(xielu_mlp_scratch_size(&unknown, 32, 1, &mut size), Status::Config);
        assert_eq!(size, 7, "nothing is written");
        assert_eq!(xielu_mlp_scratch_size(&config, 32, usize::MAX, &mut size), Status::Ok);
        assert_eq!(size, usize::MAX, "more than can be addressed");
    }
}

#[test]
fn bad_runs_of_an_mlp_are_refused() {
    let mut l = layer(0);
    let bytes = l._bytes.as_ptr().cast_mut();
    let in_file = bytes.wrapping_add(bytes.align_offset(4));
    let config = config_of(&open(&l._bytes));
    let mut scratch = Memory::new(scratch_size(&config, 32));
    let (s, size) = (scratch.at(), scratch.size);
    let (x, y, n) = (l.x.as_mut_ptr(), l.y.as_mut_ptr(), l.x.len());
    let run = xielu_mlp_run;
    let mlp: *const xielu_mlp = &*l.mlp;
    // SAFETY: the good pointers are live; the others are refused.
    unsafe {
        assert_eq!(run(&zeroed(), 32, x, y, n, s, size), Status::Uninitialized);
        assert_eq!(run(&*Box::new(*mlp), 32, x, y, n, s, size), Status::Uninitialized);
        assert_eq!(run(null(), 32, x, y, n, s, size), Status::Null);
        assert_eq!(run(off(mlp), 32, x, y, n, s, size), Status::Misaligned);
        assert_eq!(run(mlp, 32, null(), y, n, s, size), Status::Null);
        assert_eq!(run(mlp, 32, x, null_mut(), n, s, size), Status::Null);
        assert_eq!(run(mlp, 32, x, y, n, null_mut(), size), Status::Null);
        assert_eq!(run(mlp, 32, off(x), y, n - 128, s, size), Status::Misaligned);
        assert_eq!(run(mlp, 32, x, off(y), n - 128, s, size), Status::Misaligned);
        assert_eq!(run(mlp, 32, x, y, n, off(s), size - 8), Status::Misaligned);
        assert_eq!(run(mlp, 32, x, y, n, s, size - 1), Status::Short);
        assert_eq!(run(mlp, 32, x, y, n, s, 0), Status::Short);
        assert_eq!(run(mlp, 32, x, y, n, s, usize::MAX), Status::Short);
        assert_eq!(run(mlp, 32, x, y, usize::MAX, s, size), Status::Short);
        assert_eq!(run(mlp, 32, x, y, n - 1, s, size), Status::Length);
        for tile in [1, 31, 33] {
            assert_eq!(run(mlp, tile, x, y, n, s, size), Status::Tile);
        }
        assert_eq!(run(mlp, 32, x, x, n, s, size), Status::Overlap);
        assert_eq!(run(mlp, 32, x, x.wrapping_add(128), n - 128, s, size), Status::Overlap);
        assert_eq!(run(mlp, 32, x, s.cast(), n, s, size), Status::Overlap);
        assert_eq!(run(mlp, 32, x, y, n, x.cast(), 4 * n), Status::Overlap);
        assert_eq!(run(mlp, 32, x, y, n, y.cast(), 4 * n), Status::Overlap);
        assert_eq!(run(mlp, 32, x, y, n, in_file.cast(), size), Status::Overlap);
        assert_eq!(run(mlp, 32, x, in_file.cast(), n, s, size), Status::Overlap);
        assert_eq!(run(mlp, 32, x, mlp.cast_mut().cast(), 64, s, size), Status::Overlap);
        assert_eq!(run(mlp, 32, null(), null_mut(), 0, s, size), Status::Ok);
        assert!(l.y.iter().all(|y| y.is_nan()), "nothing was written");
        assert_eq!(run(mlp, 32, x, y, n, s, size), Status::Ok);
    }
    assert!(l.y.iter().all(|y| y.is_finite()));
}
