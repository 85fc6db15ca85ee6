//! The C functions on files: Rust's results, and a status for every bad input.

use std::ffi::{CStr, c_char};
use std::ptr::{null, null_mut};
use std::slice;

use xielu::capi::*;
use xielu::checkpoint::Checkpoint as _;
use xielu::checkpoint::gguf::Gguf;
use xielu_testing::bundled::patched;

use crate::support::{Memory, config_of, model_bytes, off, open, zeroed};

/// The text a status has, and what a function wrote.
fn words(p: *const c_char) -> String {
    // SAFETY: it ends in a zero byte.
    unsafe { CStr::from_ptr(p) }.to_str().unwrap().to_owned()
}

#[test]
fn versions_and_status_texts() {
    assert_eq!(xielu_abi_version(), XIELU_ABI_VERSION);
    assert_eq!(words(xielu_version()), env!("CARGO_PKG_VERSION"));
    let texts: Vec<String> = (0..22).map(|s| words(xielu_status_text(s))).collect();
    for (i, text) in texts.iter().enumerate() {
        assert!(!text.is_empty() && !texts[..i].contains(text), "{text}");
    }
    assert_eq!(texts[0], "ok");
    assert_eq!(texts[Status::Overlap as usize], words(xielu_status_text(4)));
    for unknown in [-1, 22, i32::MAX, i32::MIN] {
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
        (patched(up, &info(32, 8), &info(32, 24)), Status::Unsupported, "I8"),
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
