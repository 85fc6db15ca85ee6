//! The rough functions: their bounds, from both sides; what they do to a decoder; that nothing uses
//! them unasked.

use half::{bf16, f16};
use xielu::activation::reference;
use xielu::activation::rough::{self, EXP_DOMAIN, EXP_ERROR, XIELU_ERROR};
use xielu::checkpoint::{Checkpoint as _, gguf::Gguf};
use xielu::kernels::{Activation, Coefficients};
use xielu::llama::KvType;
use xielu::{Backend, Mlp};
use xielu_testing::decoding::{Setting, with_decoder};
use xielu_testing::relative_error;

/// Effective alphas: small, of a fresh layer, what trained models reach, and where the slope at
/// -inf vanishes; 2.18 makes both terms equal where the exponential is worst.
const ALPHAS: [(f32, f32); 7] = [
    (0.3, 0.5001),
    (0.8, 0.8),
    (1.293, 1.082),
    (2.0, 2.18),
    (17.75, 6.5),
    (166.0, 49.5),
    (200.0, 0.5),
];

/// Every bf16, every f16, and 4096 of each binade and sign of f32.
fn sweep() -> impl Iterator<Item = f32> {
    let halves = (0..=u16::MAX)
        .flat_map(|bits| [bf16::from_bits(bits).to_f32(), f16::from_bits(bits).to_f32()]);
    let binades = (0..256 * 4096u32).flat_map(|i| {
        let bits = (i / 4096) << 23 | (i.wrapping_mul(0x9e37_79b9) >> 9);
        [f32::from_bits(bits), f32::from_bits(bits | 1 << 31)]
    });
    halves.chain(binades).filter(|x| x.is_finite())
}

/// A bound must hold, and may not be more than a quarter above what was found.
fn hold(what: &str, bound: f64, found: (f64, f32)) {
    let (error, x) = found;
    println!("{what}: {error:.3e} at {x}, bound {bound:.3e}");
    assert!(error <= bound, "{what}: {error:e} at {x}");
    assert!(bound <= 1.25 * error, "{what}: {bound:e} is too loose, {error:e} was found");
}

fn worse(a: (f64, f32), b: (f64, f32)) -> (f64, f32) {
    assert!(!b.0.is_nan(), "not a number at {}", b.1);
    if b.0 > a.0 { b } else { a }
}

#[test]
fn exp_is_within_its_bound() {
    let [low, high] = EXP_DOMAIN;
    let error = |x: f32| {
        let truth = f64::from(x).exp();
        ((f64::from(rough::exp(x)) - truth).abs() / truth, x)
    };
    let inside = sweep().filter(|x| (low..=high).contains(x));
    hold("exp", EXP_ERROR, inside.map(error).fold((0.0, 0.0), worse));
    for x in [low.next_down(), -1e30, f32::NEG_INFINITY] {
        assert_eq!(rough::exp(x), 0.0, "{x}");
    }
    for x in [high.next_up(), 1e30, f32::INFINITY] {
        assert_eq!(rough::exp(x), f32::INFINITY, "{x}");
    }
    assert!(rough::exp(f32::NAN).is_nan() && rough::exp(-f32::NAN).is_nan());
    assert_eq!([rough::exp(0.0), rough::exp(-0.0)], [1.0; 2]);
}

#[test]
fn xielu_is_within_its_bound() {
    let mut worst = (0.0, 0.0);
    for (alpha_p, alpha_n) in ALPHAS {
        let f = Coefficients { alpha_p, alpha_n, beta: 0.5, eps: 0.0 };
        let truth = reference::Xielu {
            alpha_p: alpha_p.into(),
            alpha_n: alpha_n.into(),
            beta: 0.5,
            eps: None,
        };
        for x in sweep() {
            let value = truth.forward(x.into());
            let larger = value.abs().max(0.5 * f64::from(x).abs());
            let found = rough::xielu(&f, x);
            if larger < f64::from(f32::MIN_POSITIVE) {
                assert!(f64::from(found).abs() <= f64::from(f32::MIN_POSITIVE), "{x:e}: {found:e}");
            } else if value < f64::from(f32::MAX) {
                worst = worse(worst, ((f64::from(found) - value).abs() / larger, x));
            } else {
                assert_eq!(found, f32::INFINITY, "{x:e}");
            }
        }
        assert!(rough::xielu(&f, f32::NAN).is_nan());
        assert_eq!(rough::xielu(&f, 0.0).to_bits(), 0);
        assert_eq!(rough::xielu(&f, f32::INFINITY), f32::INFINITY);
    }
    let f = Coefficients { alpha_p: 0.8, alpha_n: 0.8, beta: 0.5, eps: 0.0 };
    assert_eq!(rough::xielu(&f, f32::NEG_INFINITY), f32::INFINITY);
    hold("xIELU", XIELU_ERROR, worst);
}

const TOKENS: [u32; 10] = [443, 372, 56, 539, 30, 54, 32, 66, 459, 313];

/// The logits that follow `TOKENS`, by the bundled model.
fn logits(backend: Backend<'_>) -> Vec<f32> {
    let bytes = std::fs::read("models/tiny-Q8_0.gguf").unwrap();
    let gguf = Gguf::parse(&bytes).unwrap();
    let setting = Setting { backend, kv_type: KvType::F16, ..Setting::exact(32) };
    with_decoder(&gguf, setting, |decoder| {
        let mut logits = vec![0.0; 1024];
        decoder.prompt(&TOKENS).unwrap();
        decoder.logits(&mut logits).unwrap();
        logits
    })
}

#[test]
fn a_decoder_is_rough_only_if_asked() {
    let exact = logits(Backend::default());
    assert_eq!(logits(Backend::default()), exact);
    let found = relative_error(&logits(Backend::default().with_rough_functions()), &exact);
    println!("logits: {found:.1e}");
    // Beyond what another order of the same sums does. Inputs of products are rounded to 8 bits:
    // a small difference flips some, and weighs 2^-7 there.
    assert!(found > 1e-5 && found < 2e-2, "{found:e}");
}

#[test]
fn a_layer_takes_the_rough_function_and_others_stay() {
    let bytes = std::fs::read("models/tiny-Q8_0.gguf").unwrap();
    let gguf = Gguf::parse(&bytes).unwrap();
    let config = gguf.config().unwrap();
    let run = |mlp: &Mlp<'_>, backend: &Backend<'_>| {
        let x: Vec<f32> = (0..config.hidden_size).map(|i| (i as f32 * 0.7).sin()).collect();
        let (mut y, tile) = (vec![0.0; config.hidden_size], 96);
        let mut scratch = vec![0.0; mlp.scratch_len(tile, 1)];
        mlp.forward_tiled(backend, tile, &x, &mut y, &mut scratch).unwrap();
        y
    };
    let (exact, rough) = (Backend::default(), Backend::default().with_rough_functions());
    let mlp = Mlp::load(&gguf, &config, 1).unwrap();
    let found = relative_error(&run(&mlp, &rough), &run(&mlp, &exact));
    // Little: squares of positive values dominate, and 8 bits hide most of what remains.
    assert!(found > 0.0 && found < 1e-2, "{found:e}");

    let matrix = |name: &str, rows, cols| {
        let info = gguf.tensor_info(name).unwrap();
        let data = gguf.tensor_data(&info).unwrap();
        xielu::kernels::Matrix::new(
            xielu::kernels::DType::Q8_0,
            xielu::kernels::Shape { rows, cols },
            data,
        )
        .unwrap()
    };
    let up = matrix("blk.1.ffn_up.weight", config.intermediate_size, config.hidden_size);
    let down = matrix("blk.1.ffn_down.weight", config.hidden_size, config.intermediate_size);
    let other = Mlp::new(up, down, Activation::Relu2).unwrap();
    assert_eq!(run(&other, &rough), run(&other, &exact));
}
