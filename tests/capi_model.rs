//! The C functions on files and MLP layers: Rust's results, and a status for every bad input.
#![cfg(feature = "capi")]

mod capi_support;

use std::ffi::{CStr, c_char};
use std::ptr::{null, null_mut};
use std::slice;

use capi_support::{Memory, config_of, model_bytes, off, open, zeroed};
use xielu::capi::*;
use xielu::checkpoint::Checkpoint as _;
use xielu::checkpoint::gguf::Gguf;
use xielu::{Backend, Mlp};

/// The text a status has, and what a function wrote.
fn words(p: *const c_char) -> String {
    // SAFETY: it ends in a zero byte.
    unsafe { CStr::from_ptr(p) }.to_str().unwrap().to_owned()
}

#[test]
fn versions_and_status_texts() {
    assert_eq!(xielu_abi_version(), XIELU_ABI_VERSION);
    assert_eq!(words(xielu_version()), env!("CARGO_PKG_VERSION"));
    let texts: Vec<String> = (0..20).map(|s| words(xielu_status_text(s))).collect();
    for (i, text) in texts.iter().enumerate() {
        assert!(!text.is_empty() && !texts[..i].contains(text), "{text}");
    }
    assert_eq!(texts[0], "ok");
    assert_eq!(texts[Status::Overlap as usize], words(xielu_status_text(4)));
    for unknown in [-1, 20, i32::MAX, i32::MIN] {
        assert_eq!(words(xielu_status_text(unknown)), "not a status of this library");
    }
}

#[test]
fn the_instruction_set_has_a_name() {
    let mut text = [-1; 32];
    // SAFETY: the good pointers are live; the others are refused.
    unsafe {
        assert_eq!(xielu_isa_name(text.as_mut_ptr(), text.len()), Status::Ok);
        assert_eq!(words(text.as_ptr()), xielu::kernels::Isa::detect().name());
        assert_eq!(xielu_isa_name(text.as_mut_ptr(), 3), Status::Short);
        assert_eq!(words(text.as_ptr()).len(), 2, "cut to what fits");
        assert_eq!(xielu_isa_name(text.as_mut_ptr(), 0), Status::Short);
        assert_eq!(xielu_isa_name(text.as_mut_ptr(), usize::MAX), Status::Short);
        assert_eq!(xielu_isa_name(null_mut(), 32), Status::Null);
    }
}

#[test]
fn a_file_is_read_as_in_rust() {
    let bytes = model_bytes();
    let file = open(&bytes);
    let rust = Gguf::parse(&bytes).unwrap();
    let config = rust.config().unwrap();
    assert_eq!(config_of(&file), config.into());
    let (mut raw, mut eos, mut text, mut length) = (zeroed::<xielu_raw>(), 0, null(), 0);
    // SAFETY: all are live.
    unsafe {
        for layer in 0..config.num_layers {
            assert_eq!(xielu_gguf_raw(&*file, layer, &mut raw), Status::Ok);
            assert_eq!(raw, rust.raw_xielu(layer).unwrap().into());
        }
        let key = c"tokenizer.ggml.eos_token_id";
        assert_eq!(xielu_gguf_u32(&*file, key.as_ptr(), &mut eos), Status::Ok);
        assert_eq!(Some(eos), rust.get_u32(key.to_str().unwrap()));
        let vocabulary = rust.get_array("tokenizer.ggml.tokens").and_then(|a| a.strs()).unwrap();
        for (id, expected) in vocabulary.enumerate().step_by(97) {
            assert_eq!(xielu_gguf_token(&*file, id as u32, &mut text, &mut length), Status::Ok);
            let found = slice::from_raw_parts(text.cast::<u8>(), length);
            assert_eq!(found, expected.as_bytes());
            assert!(bytes.as_ptr_range().contains(&text.cast()), "it lies in the file");
        }
    }
}

#[test]
fn files_are_opened_at_any_alignment() {
    let bytes = model_bytes();
    for shift in 1..4 {
        let shifted = [vec![0; shift], bytes.clone()].concat();
        let file = open(&shifted[shift..]);
        assert_eq!(config_of(&file), config_of(&open(&bytes)));
    }
}

#[test]
fn bad_pointers_to_files_are_refused() {
    let mut bytes = model_bytes();
    let (data, size) = (bytes.as_mut_ptr(), bytes.len());
    let mut gguf = zeroed::<xielu_gguf>();
    // SAFETY: the good pointers are live; the others are refused.
    unsafe {
        assert_eq!(xielu_gguf_open(null(), size, &mut gguf), Status::Null);
        assert_eq!(xielu_gguf_open(null(), 0, &mut gguf), Status::Null);
        assert_eq!(xielu_gguf_open(data.cast(), size, null_mut()), Status::Null);
        assert_eq!(xielu_gguf_open(data.cast(), size, off(&gguf)), Status::Misaligned);
        assert_eq!(xielu_gguf_open(data.cast(), usize::MAX, &mut gguf), Status::Short);
        let inside = data.wrapping_add(data.align_offset(8)).cast();
        assert_eq!(xielu_gguf_open(data.cast(), size, inside), Status::Overlap);
        assert_eq!(xielu_gguf_open(data.cast(), 0, &mut gguf), Status::Gguf);

        let (mut config, mut raw) = (zeroed(), zeroed());
        assert_eq!(xielu_gguf_config(&gguf, &mut config), Status::Uninitialized);
        assert_eq!(xielu_gguf_open(data.cast(), size, &mut gguf), Status::Ok);
        let moved = Box::new(gguf);
        assert_eq!(xielu_gguf_config(&*moved, &mut config), Status::Uninitialized);
        assert_eq!(xielu_gguf_config(null(), &mut config), Status::Null);
        assert_eq!(xielu_gguf_config(off(&gguf), &mut config), Status::Misaligned);
        assert_eq!(xielu_gguf_config(&gguf, null_mut()), Status::Null);
        assert_eq!(xielu_gguf_config(&gguf, off(&config)), Status::Misaligned);
        assert_eq!(xielu_gguf_config(&gguf, inside.cast()), Status::Overlap);
        let itself = (&raw mut gguf).cast();
        assert_eq!(xielu_gguf_config(&gguf, itself), Status::Overlap);

        assert_eq!(xielu_gguf_raw(&zeroed(), 0, &mut raw), Status::Uninitialized);
        assert_eq!(xielu_gguf_raw(null(), 0, &mut raw), Status::Null);
        assert_eq!(xielu_gguf_raw(off(&gguf), 0, &mut raw), Status::Misaligned);
        assert_eq!(xielu_gguf_raw(&gguf, 0, null_mut()), Status::Null);
        assert_eq!(xielu_gguf_raw(&gguf, 0, off(&raw)), Status::Misaligned);
        assert_eq!(xielu_gguf_raw(&gguf, 0, inside.cast()), Status::Overlap);
        assert_eq!(xielu_gguf_raw(&gguf, 4, &mut raw), Status::Layer);
        assert_eq!(xielu_gguf_raw(&gguf, usize::MAX, &mut raw), Status::Layer);
    }
}

#[test]
fn bad_questions_about_metadata_are_refused() {
    let bytes = model_bytes();
    let file = open(&bytes);
    let (mut value, mut text, mut length) = (7, null(), 7);
    let key = c"tokenizer.ggml.eos_token_id".as_ptr();
    let inside = bytes.as_ptr().wrapping_add(bytes.as_ptr().align_offset(8)).cast_mut();
    // SAFETY: the good pointers are live; the others are refused.
    unsafe {
        assert_eq!(xielu_gguf_u32(&zeroed(), key, &mut value), Status::Uninitialized);
        assert_eq!(xielu_gguf_u32(null(), key, &mut value), Status::Null);
        assert_eq!(xielu_gguf_u32(off(&*file), key, &mut value), Status::Misaligned);
        assert_eq!(xielu_gguf_u32(&*file, null(), &mut value), Status::Null);
        assert_eq!(xielu_gguf_u32(&*file, key, null_mut()), Status::Null);
        assert_eq!(xielu_gguf_u32(&*file, key, off(&value)), Status::Misaligned);
        assert_eq!(xielu_gguf_u32(&*file, key, inside.cast()), Status::Overlap);
        for unknown in [c"", c"nothing", c"general.architecture", c"\xff"] {
            assert_eq!(xielu_gguf_u32(&*file, unknown.as_ptr(), &mut value), Status::NotFound);
        }
        assert_eq!(value, 7, "nothing is written");

        let token = xielu_gguf_token;
        assert_eq!(token(&zeroed(), 1, &mut text, &mut length), Status::Uninitialized);
        assert_eq!(token(null(), 1, &mut text, &mut length), Status::Null);
        assert_eq!(token(off(&*file), 1, &mut text, &mut length), Status::Misaligned);
        assert_eq!(token(&*file, 1, null_mut(), &mut length), Status::Null);
        assert_eq!(token(&*file, 1, &mut text, null_mut()), Status::Null);
        assert_eq!(token(&*file, 1, off(&text), &mut length), Status::Misaligned);
        assert_eq!(token(&*file, 1, &mut text, off(&length)), Status::Misaligned);
        assert_eq!(token(&*file, 1, &mut text, (&raw mut text).cast()), Status::Overlap);
        assert_eq!(token(&*file, 1, inside.cast(), &mut length), Status::Overlap);
        for beyond in [1024, u32::MAX] {
            assert_eq!(token(&*file, beyond, &mut text, &mut length), Status::Token);
        }
        assert_eq!((text, length), (null(), 7), "nothing is written");
    }
}

/// What is wrong with `bytes`, as a status and in words.
fn explained(bytes: &[u8]) -> (Status, String) {
    let mut text = [-1; 200];
    // SAFETY: both are live.
    let status = unsafe {
        xielu_gguf_explain(bytes.as_ptr().cast(), bytes.len(), text.as_mut_ptr(), text.len())
    };
    (status, words(text.as_ptr()))
}

#[test]
fn truncated_files_are_refused_and_explained() {
    let bytes = model_bytes();
    let mut gguf = zeroed::<xielu_gguf>();
    let lengths = (0..4096).chain((4096..bytes.len()).step_by(997)).chain([bytes.len() - 1]);
    for length in lengths {
        // SAFETY: both are live.
        let status = unsafe { xielu_gguf_open(bytes.as_ptr().cast(), length, &mut gguf) };
        assert_eq!(status, Status::Gguf, "{length}");
    }
    assert_eq!(explained(&bytes), (Status::Ok, String::new()));
    let (status, text) = explained(&bytes[..bytes.len() - 1]);
    assert_eq!(status, Status::Gguf);
    assert!(text.contains("beyond the end of the file"), "{text}");
}

/// The bundled model with `from` replaced by `to` where it first occurs after `after`.
fn patched(after: &str, from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut bytes = model_bytes();
    let find = |bytes: &[u8], what: &[u8]| {
        bytes.windows(what.len()).position(|window| window == what).unwrap()
    };
    let start = find(&bytes, after.as_bytes()) + after.len();
    let at = start + find(&bytes[start..], from);
    bytes[at..at + to.len()].copy_from_slice(to);
    bytes
}

/// Every kind of model that cannot run has its status, from `explain` and from loading.
#[test]
fn unusable_models_are_refused_and_explained() {
    let up = "blk.0.ffn_up.weight";
    // Number of dimensions, dimensions, type: Q8_0 (8).
    let info = |rows: u8, kind: u8| {
        let [cols, rows] = [128u64.to_le_bytes(), (640 + u64::from(rows)).to_le_bytes()];
        [&2u32.to_le_bytes()[..], &cols, &rows, &[kind]].concat()
    };
    let nan = f32::NAN.to_le_bytes();
    let half = 0.5f32.to_le_bytes();
    for (bytes, expected, word) in [
        (patched("general.architecture", b"apertus", b"unheard"), Status::Unsupported, "unheard"),
        (patched(up, &info(32, 8), &info(32, 6)), Status::Unsupported, "Q5_0"),
        (patched(up, &info(32, 8), &info(31, 8)), Status::Invalid, "671 x 128"),
        (patched("GGUF", b"blk.2.ffn_up", b"blk.2.ffn_ap"), Status::Missing, "blk.2.ffn_up.weight"),
        (patched("GGUF", b"xielu.alpha_n", b"xielu.alpha_m"), Status::Missing, "xielu.alpha_n"),
        (patched("xielu.beta", &half, &nan), Status::Invalid, "xielu.beta"),
    ] {
        let (status, text) = explained(&bytes);
        assert_eq!(status, expected, "{text}");
        assert!(text.contains(word), "{word:?} in {text:?}");
        let file = open(&bytes);
        let (mut layers, mut model) = (Memory::new(1 << 14), zeroed());
        // SAFETY: all are live.
        let status = unsafe { xielu_model_load(&*file, layers.at(), layers.size, &mut model) };
        assert_eq!(status, expected, "{text}");
    }
}

#[test]
fn bad_pointers_to_explain_are_refused() {
    let mut bytes = model_bytes();
    let (data, size) = (bytes.as_mut_ptr(), bytes.len());
    let mut text: [c_char; 12] = [-1; 12];
    let p = text.as_mut_ptr();
    // SAFETY: the good pointers are live; the others are refused.
    unsafe {
        assert_eq!(xielu_gguf_explain(null(), size, p, 12), Status::Null);
        assert_eq!(xielu_gguf_explain(data.cast(), size, null_mut(), 12), Status::Null);
        assert_eq!(xielu_gguf_explain(data.cast(), size, p, 0), Status::Short);
        assert_eq!(xielu_gguf_explain(data.cast(), usize::MAX, p, 12), Status::Short);
        assert_eq!(xielu_gguf_explain(data.cast(), size, data.cast(), 12), Status::Overlap);
        assert_eq!(xielu_gguf_explain(data.cast(), 10, p, 12), Status::Gguf);
    }
    assert_eq!(words(p), "not a usabl", "cut to what fits");
}

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
