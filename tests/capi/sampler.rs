//! The C functions that sample: a status for every bad input. `capi_decoder.rs` has the good runs.

use std::ptr::{null, null_mut};

use xielu::capi::*;

use crate::support::{off, zeroed};

#[test]
fn bad_samplers_are_refused() {
    let options = zeroed::<xielu_sampler_options>();
    let mut sampler = zeroed::<xielu_sampler>();
    let s: *mut xielu_sampler = &mut sampler;
    let mut logits = [0.0, 3.0, f32::NEG_INFINITY, 1.0];
    let p = logits.as_mut_ptr();
    let mut id = 7;
    let sample = xielu_sampler_sample;
    // SAFETY: the good pointers are live; the others are refused.
    unsafe {
        assert_eq!(xielu_sampler_init(null(), s), Status::Null);
        assert_eq!(xielu_sampler_init(&options, null_mut()), Status::Null);
        assert_eq!(xielu_sampler_init(off(&options), s), Status::Misaligned);
        assert_eq!(xielu_sampler_init(&options, off(s)), Status::Misaligned);
        for bad in [
            xielu_sampler_options { temperature: -1.0, ..options },
            xielu_sampler_options { temperature: f32::NAN, ..options },
            xielu_sampler_options { temperature: f32::INFINITY, ..options },
            xielu_sampler_options { top_p: -0.1, ..options },
            xielu_sampler_options { top_p: 1.1, ..options },
            xielu_sampler_options { top_p: f32::NAN, ..options },
        ] {
            assert_eq!(xielu_sampler_init(&bad, s), Status::Option, "{bad:?}");
        }
        assert_eq!(sample(s, p, 4, &mut id), Status::Uninitialized);
        assert_eq!(xielu_sampler_init(&options, s), Status::Ok);
        assert_eq!(sample(&mut *Box::new(*s), p, 4, &mut id), Status::Uninitialized);
        assert_eq!(sample(null_mut(), p, 4, &mut id), Status::Null);
        assert_eq!(sample(off(s), p, 4, &mut id), Status::Misaligned);
        assert_eq!(sample(s, null(), 4, &mut id), Status::Null);
        assert_eq!(sample(s, off(p), 3, &mut id), Status::Misaligned);
        assert_eq!(sample(s, p, 4, null_mut()), Status::Null);
        assert_eq!(sample(s, p, 4, off(&id)), Status::Misaligned);
        assert_eq!(sample(s, p, 0, &mut id), Status::Length);
        assert_eq!(sample(s, p, usize::MAX, &mut id), Status::Short);
        assert_eq!(sample(s, p, 4, p.cast()), Status::Overlap);
        assert_eq!(sample(s, s.cast(), 4, &mut id), Status::Overlap);
        assert_eq!(sample(s, p, 4, s.cast()), Status::Overlap);
        assert_eq!(sample(s, [0.0, f32::NAN].as_ptr(), 2, &mut id), Status::NonFinite);
        assert_eq!(sample(s, [f32::NEG_INFINITY; 2].as_ptr(), 2, &mut id), Status::NonFinite);
        assert_eq!(id, 7, "nothing is written");
        assert_eq!(sample(s, p, 4, &mut id), Status::Ok);
    }
    assert_eq!(id, 1);
}

/// What C has of a sampler chain is what Rust has of it.
#[test]
fn penalties_and_cuts_are_those_of_rust() {
    use xielu::llama::{Cuts, Penalties};

    let logits: Vec<f32> = (0..50u32).map(|i| ((i * 7919) as f32).sin() * 4.0).collect();
    let counts: Vec<u32> = (0..50).map(|i| [0, 1, 3][i % 3]).collect();
    let given = xielu_penalties { repetition: 1.2, presence: 0.5, frequency: 0.25 };
    let cuts = xielu_cuts { top_k: 30, temperature: 0.8, top_p: 0.9, min_p: 0.05, typical_p: 0.8 };
    let mut found = logits.clone();
    // SAFETY: both are live and have as many elements.
    let status = unsafe { xielu_penalize(&given, counts.as_ptr(), found.as_mut_ptr(), 50) };
    let mut expected = logits.clone();
    Penalties { repetition: 1.2, presence: 0.5, frequency: 0.25 }.apply(&mut expected, &counts);
    assert_eq!((status, &found), (Status::Ok, &expected));
    assert_ne!(found, logits);
    // SAFETY: as above.
    let status = unsafe { xielu_cut(&cuts, found.as_mut_ptr(), 50) };
    let rust = Cuts { temperature: 0.8, top_k: 30, top_p: 0.9, min_p: 0.05, typical_p: 0.8 };
    rust.apply(&mut expected);
    assert_eq!((status, &found), (Status::Ok, &expected));
    let left = found.iter().filter(|l| l.is_finite()).count();
    assert!((2..30).contains(&left), "{left}");

    // Zeros change nothing.
    let mut same = logits.clone();
    let p = same.as_mut_ptr();
    // SAFETY: the good pointers are live; the others are refused.
    unsafe {
        assert_eq!(xielu_penalize(&zeroed(), counts.as_ptr(), p, 50), Status::Ok);
        assert_eq!(xielu_cut(&zeroed(), p, 50), Status::Ok);
        for bad in [
            xielu_penalties { repetition: -1.0, ..given },
            xielu_penalties { repetition: f32::INFINITY, ..given },
            xielu_penalties { presence: f32::NAN, ..given },
            xielu_penalties { frequency: f32::INFINITY, ..given },
        ] {
            assert_eq!(xielu_penalize(&bad, counts.as_ptr(), p, 50), Status::Option, "{bad:?}");
        }
        for bad in [
            xielu_cuts { temperature: -1.0, ..cuts },
            xielu_cuts { top_p: 1.5, ..cuts },
            xielu_cuts { min_p: -0.5, ..cuts },
            xielu_cuts { typical_p: f32::NAN, ..cuts },
        ] {
            assert_eq!(xielu_cut(&bad, p, 50), Status::Option, "{bad:?}");
        }
        assert_eq!(xielu_penalize(null(), counts.as_ptr(), p, 50), Status::Null);
        assert_eq!(xielu_penalize(off(&given), counts.as_ptr(), p, 50), Status::Misaligned);
        assert_eq!(xielu_penalize(&given, null(), p, 50), Status::Null);
        assert_eq!(xielu_penalize(&given, counts.as_ptr(), off(p), 49), Status::Misaligned);
        assert_eq!(xielu_penalize(&given, p.cast(), p, 50), Status::Overlap);
        assert_eq!(xielu_cut(null(), p, 50), Status::Null);
        assert_eq!(xielu_cut(&cuts, null_mut(), 50), Status::Null);
        assert_eq!(xielu_cut(&cuts, off(p), 49), Status::Misaligned);
        assert_eq!(xielu_cut(&cuts, p, usize::MAX), Status::Short);
    }
    assert_eq!(same, logits);
}
