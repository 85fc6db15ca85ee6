//! The C functions on models and decoders: a status for every bad input.

use std::ffi::c_void;
use std::ptr::{null, null_mut};

use xielu::capi::*;

use crate::held::{Held, OPTIONS, PROMPT, VOCAB, memory};
use crate::support::{Memory, config_of, model_bytes, off, open, zeroed};

#[test]
fn bad_sizes_are_refused() {
    let bytes = model_bytes();
    let config = config_of(&open(&bytes));
    let untouched =
        xielu_memory { layers_size: 7, kv_cache_size: 7, scratch_size: 7, logits_size: 7 };
    let mut out = untouched;
    let ask = xielu_decoder_memory;
    // SAFETY: the good pointers are live; the others are refused.
    unsafe {
        assert_eq!(ask(null(), &OPTIONS, &mut out), Status::Null);
        assert_eq!(ask(&config, null(), &mut out), Status::Null);
        assert_eq!(ask(&config, &OPTIONS, null_mut()), Status::Null);
        assert_eq!(ask(off(&config), &OPTIONS, &mut out), Status::Misaligned);
        assert_eq!(ask(&config, off(&OPTIONS), &mut out), Status::Misaligned);
        assert_eq!(ask(&config, &OPTIONS, off(&out)), Status::Misaligned);
        assert_eq!(ask(&zeroed(), &OPTIONS, &mut out), Status::Config);
        let odd = xielu_config { head_dim: 31, ..config };
        assert_eq!(ask(&odd, &OPTIONS, &mut out), Status::Config);
        let unknown = xielu_decoder_options { kv_type: 99, ..OPTIONS };
        assert_eq!(ask(&config, &unknown, &mut out), Status::Option);
        let eight_bits = xielu_decoder_options { kv_type: XIELU_KV_Q8_0, ..OPTIONS };
        let cut_block = xielu_config { head_dim: 48, ..config };
        assert_eq!(ask(&cut_block, &eight_bits, &mut out), Status::Option);
        let cut = xielu_decoder_options { mlp_tile: 33, ..OPTIONS };
        assert_eq!(ask(&config, &cut, &mut out), Status::Tile);
    }
    assert_eq!(out, untouched, "nothing is written");
}

#[test]
fn bad_models_are_refused() {
    let bytes = model_bytes();
    let file = open(&bytes);
    let inside = bytes.as_ptr().wrapping_add(bytes.as_ptr().align_offset(8)).cast_mut();
    let m = memory(&config_of(&file), &OPTIONS);
    let mut layers = Memory::new(m.layers_size);
    let (p, size) = (layers.at(), layers.size);
    let mut model = zeroed::<xielu_model>();
    let load = xielu_model_load;
    // SAFETY: the good pointers are live; the others are refused.
    unsafe {
        assert_eq!(load(&zeroed(), p, size, &mut model), Status::Uninitialized);
        assert_eq!(load(null(), p, size, &mut model), Status::Null);
        assert_eq!(load(off(&*file), p, size, &mut model), Status::Misaligned);
        assert_eq!(load(&*file, null_mut(), size, &mut model), Status::Null);
        assert_eq!(load(&*file, off(p), size - 8, &mut model), Status::Misaligned);
        assert_eq!(load(&*file, p, size - 1, &mut model), Status::Short);
        assert_eq!(load(&*file, p, 0, &mut model), Status::Short);
        assert_eq!(load(&*file, p, usize::MAX, &mut model), Status::Short);
        assert_eq!(load(&*file, p, size, null_mut()), Status::Null);
        assert_eq!(load(&*file, p, size, off(&model)), Status::Misaligned);
        assert_eq!(load(&*file, inside.cast(), size, &mut model), Status::Overlap);
        assert_eq!(load(&*file, p, size, inside.cast()), Status::Overlap);
        assert_eq!(load(&*file, p, size, p.cast()), Status::Overlap);
        assert_eq!(
            load(&*file, (&raw const *file).cast_mut().cast(), size, &mut model),
            Status::Overlap
        );
        assert_eq!(load(&*file, p, size, &mut model), Status::Ok);
    }
}

#[test]
fn bad_decoders_are_refused() {
    let mut h = Held::new(&OPTIONS);
    let model: *const xielu_model = &*h.model;
    let (kv, kv_size) = (h.kv.at(), h.kv.size);
    let (s, size) = (h.scratch.at(), h.scratch.size);
    let inside: *mut c_void =
        h.bytes.as_mut_ptr().wrapping_add(h.bytes.as_ptr().align_offset(8)).cast();
    let mut decoder = zeroed::<xielu_decoder>();
    let d: *mut xielu_decoder = &mut decoder;
    let init = xielu_decoder_init;
    let o: *const xielu_decoder_options = &OPTIONS;
    // SAFETY: the good pointers are live; the others are refused.
    unsafe {
        assert_eq!(init(&zeroed(), o, kv, kv_size, s, size, d), Status::Uninitialized);
        assert_eq!(init(&*Box::new(*model), o, kv, kv_size, s, size, d), Status::Uninitialized);
        assert_eq!(init(null(), o, kv, kv_size, s, size, d), Status::Null);
        assert_eq!(init(model, null(), kv, kv_size, s, size, d), Status::Null);
        assert_eq!(init(model, o, null_mut(), kv_size, s, size, d), Status::Null);
        assert_eq!(init(model, o, kv, kv_size, null_mut(), size, d), Status::Null);
        assert_eq!(init(model, o, kv, kv_size, s, size, null_mut()), Status::Null);
        assert_eq!(init(off(model), o, kv, kv_size, s, size, d), Status::Misaligned);
        assert_eq!(init(model, off(o), kv, kv_size, s, size, d), Status::Misaligned);
        assert_eq!(init(model, o, kv, kv_size, off(s), size - 8, d), Status::Misaligned);
        assert_eq!(init(model, o, kv, kv_size, s, size, off(d)), Status::Misaligned);
        assert_eq!(init(model, o, kv, kv_size - 1, s, size, d), Status::Short);
        assert_eq!(init(model, o, kv, kv_size, s, size - 1, d), Status::Short);
        assert_eq!(init(model, o, kv, 0, s, size, d), Status::Short);
        assert_eq!(init(model, o, kv, kv_size, s, 0, d), Status::Short);
        assert_eq!(init(model, o, kv, usize::MAX, s, size, d), Status::Short);
        assert_eq!(init(model, o, kv, kv_size, s, usize::MAX, d), Status::Short);
        assert_eq!(init(model, o, s, kv_size, s, size, d), Status::Overlap);
        assert_eq!(init(model, o, inside, kv_size, s, size, d), Status::Overlap);
        assert_eq!(init(model, o, kv, kv_size, inside, size, d), Status::Overlap);
        assert_eq!(init(model, o, kv, kv_size, h.layers.at(), size, d), Status::Overlap);
        assert_eq!(init(model, o, kv, kv_size, s, size, inside.cast()), Status::Overlap);
        assert_eq!(init(model, o, kv, kv_size, s, size, model.cast_mut().cast()), Status::Overlap);
        assert_eq!(init(model, o, kv, kv_size, s, size, kv.cast()), Status::Overlap);
        for (bad, status) in [
            (xielu_decoder_options { kv_type: 4, ..OPTIONS }, Status::Option),
            (xielu_decoder_options { mlp_tile: 31, ..OPTIONS }, Status::Tile),
            (xielu_decoder_options { context: 65, ..OPTIONS }, Status::Short),
            (xielu_decoder_options { context: usize::MAX, ..OPTIONS }, Status::Short),
            (xielu_decoder_options { batch: 5, ..OPTIONS }, Status::Short),
            (xielu_decoder_options { batch: usize::MAX, ..OPTIONS }, Status::Short),
        ] {
            assert_eq!(init(model, &bad, kv, kv_size, s, size, d), status, "{bad:?}");
        }
        #[cfg(not(feature = "rayon"))]
        {
            let threads = xielu_decoder_options { parallel: 1, ..OPTIONS };
            assert_eq!(init(model, &threads, kv, kv_size, s, size, d), Status::Option);
        }
        let mut logits = [0.0; VOCAB];
        assert_eq!(xielu_decoder_step(d, 1, logits.as_mut_ptr(), VOCAB), Status::Uninitialized);
        // A cache may lie at any alignment.
        let mut odd = Memory::new(kv_size + 1);
        assert_eq!(init(model, o, odd.at().wrapping_byte_add(1), kv_size, s, size, d), Status::Ok);
        assert_eq!(xielu_decoder_step(d, 1, logits.as_mut_ptr(), VOCAB), Status::Ok);
    }
}

#[test]
fn bad_steps_are_refused() {
    let mut h = Held::new(&OPTIONS);
    let (kv, scratch, layers) = (h.kv.at(), h.scratch.at(), h.layers.at());
    let model: *mut xielu_model = &mut *h.model;
    let file = h.bytes.as_mut_ptr().wrapping_add(h.bytes.as_ptr().align_offset(8));
    let d: *mut xielu_decoder = &mut *h.decoder;
    let mut logits = vec![f32::NAN; VOCAB + 1];
    let (p, t) = (logits.as_mut_ptr(), PROMPT.as_ptr());
    let mut position = 7;
    // SAFETY: the good pointers are live; the others are refused.
    unsafe {
        assert_eq!(xielu_decoder_logits(d, p, VOCAB), Status::Length, "nothing is decoded yet");
        for other in [kv, scratch, layers, file.cast(), model.cast(), d.cast()] {
            assert_eq!(xielu_decoder_step(d, 1, other.cast(), VOCAB), Status::Overlap);
            assert_eq!(xielu_decoder_logits(d, other.cast(), VOCAB), Status::Overlap);
            assert_eq!(xielu_decoder_prompt(d, other.cast_const().cast(), 2), Status::Overlap);
            assert_eq!(xielu_decoder_position(d, other.cast()), Status::Overlap);
        }
        assert_eq!(xielu_decoder_step(null_mut(), 1, p, VOCAB), Status::Null);
        assert_eq!(xielu_decoder_step(off(d), 1, p, VOCAB), Status::Misaligned);
        assert_eq!(xielu_decoder_step(&mut *Box::new(*d), 1, p, VOCAB), Status::Uninitialized);
        assert_eq!(xielu_decoder_step(d, 1, null_mut(), VOCAB), Status::Null);
        assert_eq!(xielu_decoder_step(d, 1, off(p), VOCAB), Status::Misaligned);
        for n in [0, 1, VOCAB - 1, VOCAB + 1] {
            assert_eq!(xielu_decoder_step(d, 1, p, n), Status::Length);
        }
        assert_eq!(xielu_decoder_step(d, 1, p, usize::MAX), Status::Short);
        assert_eq!(xielu_decoder_step(d, 1024, p, VOCAB), Status::Token);
        assert_eq!(xielu_decoder_step(d, u32::MAX, p, VOCAB), Status::Token);

        assert_eq!(xielu_decoder_prompt(null_mut(), t, 10), Status::Null);
        assert_eq!(xielu_decoder_prompt(off(d), t, 10), Status::Misaligned);
        assert_eq!(xielu_decoder_prompt(&mut zeroed(), t, 10), Status::Uninitialized);
        assert_eq!(xielu_decoder_prompt(d, null(), 10), Status::Null);
        assert_eq!(xielu_decoder_prompt(d, off(t), 9), Status::Misaligned);
        assert_eq!(xielu_decoder_prompt(d, t, usize::MAX), Status::Short);
        assert_eq!(xielu_decoder_prompt(d, [0; 65].as_ptr(), 65), Status::ContextFull);
        assert_eq!(xielu_decoder_prompt(d, [1024].as_ptr(), 1), Status::Token);
        assert_eq!(xielu_decoder_prompt(d, null(), 0), Status::Ok);
        assert_eq!(xielu_decoder_position(d, &mut position), Status::Ok);
        assert_eq!(position, 0, "nothing was decoded");

        assert_eq!(xielu_decoder_prompt(d, t, 10), Status::Ok);
        assert_eq!(xielu_decoder_logits(null_mut(), p, VOCAB), Status::Null);
        assert_eq!(xielu_decoder_logits(off(d), p, VOCAB), Status::Misaligned);
        assert_eq!(xielu_decoder_logits(&mut zeroed(), p, VOCAB), Status::Uninitialized);
        assert_eq!(xielu_decoder_logits(d, null_mut(), VOCAB), Status::Null);
        assert_eq!(xielu_decoder_logits(d, off(p), VOCAB), Status::Misaligned);
        assert_eq!(xielu_decoder_logits(d, p, usize::MAX), Status::Short);
        for n in [0, 1, VOCAB - 1, VOCAB + 1] {
            assert_eq!(xielu_decoder_logits(d, p, n), Status::Length, "{n}");
        }
        assert!(logits.iter().all(|l| l.is_nan()), "nothing was written");

        assert_eq!(xielu_decoder_position(null(), &mut position), Status::Null);
        assert_eq!(xielu_decoder_position(off(d), &mut position), Status::Misaligned);
        assert_eq!(xielu_decoder_position(&zeroed(), &mut position), Status::Uninitialized);
        assert_eq!(xielu_decoder_position(d, null_mut()), Status::Null);
        assert_eq!(xielu_decoder_position(d, off(&position)), Status::Misaligned);

        for _ in 10..64 {
            assert_eq!(xielu_decoder_step(d, 1, p, VOCAB), Status::Ok);
        }
        assert_eq!(xielu_decoder_step(d, 1, p, VOCAB), Status::ContextFull);
    }
    assert_eq!(h.position(), 64);
}
