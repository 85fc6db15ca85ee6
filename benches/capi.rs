//! What a C call costs besides its work: 64 values, as an operator of another framework sends
//! them. `XIELU_ISA` does not choose here: C's functions detect.
//!
//! `cargo bench --features capi --bench capi`

use std::hint::black_box;

use criterion::Criterion;
use xielu::RawXielu;
use xielu::capi::*;

const N: usize = 64;

fn raw() -> xielu_raw {
    RawXielu::PAPER_INIT.into()
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("C call on 64 values");
    let x: [f32; N] = core::array::from_fn(|i| 0.1 * (i as f32 - 32.0));
    let mut y = [0.0f32; N];

    let (raw, mut frozen) =
        (raw(), xielu_activation { kind: 0, alpha_p: 0.0, alpha_n: 0.0, beta: 0.0, eps: 0.0 });
    // SAFETY: both are live.
    assert_eq!(unsafe { xielu_freeze(&raw, &mut frozen) }, Status::Ok);
    group.bench_function("xielu_activate_f32", |b| {
        // SAFETY: the arrays are live, of N values, and separate.
        b.iter(|| unsafe { xielu_activate_f32(&frozen, x.as_ptr(), black_box(y.as_mut_ptr()), N) });
    });
    group.bench_function("xielu_swiglu_f32", |b| {
        // SAFETY: as above; gate and up are read only.
        b.iter(|| unsafe {
            xielu_swiglu_f32(x.as_ptr(), x.as_ptr(), black_box(y.as_mut_ptr()), N)
        });
    });
    let options = xielu_backward_options { raw, kind: XIELU_ACTIVATION_XIELU, parallel: 0 };
    let mut alphas = xielu_alpha_gradients::default();
    group.bench_function("xielu_backward_f32", |b| {
        let (x, dx) = (x.as_ptr(), y.as_mut_ptr());
        // SAFETY: as above; x and dy are read only.
        b.iter(|| unsafe { xielu_backward_f32(&options, x, x, black_box(dx), N, &mut alphas) });
    });
    group.finish();
    criterion.final_summary();
}
