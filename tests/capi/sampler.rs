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
