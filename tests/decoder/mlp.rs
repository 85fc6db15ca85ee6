//! The MLP layer alone: every form, type and tile against f64.

use xielu::activation::ActivationKind;
use xielu::checkpoint::{LayerRole, Role};
use xielu::config::RopeStyle;
use xielu::kernels::{Activation, DType, Matrix, Shape};
use xielu::mlp::MlpSizes;
use xielu::quant::ENCODED;
use xielu::{Backend, Error, Mlp};
use xielu_testing::noise::Noise;
use xielu_testing::toy::{Toy, activate, config, matvec, requantize};

const HIDDEN: usize = 64;
const FFN: usize = 96;
/// Widths of whole blocks of the K-quants.
const WIDE: (usize, usize) = (256, 768);
const ACTS: [ActivationKind; 4] =
    [ActivationKind::Xielu, ActivationKind::Xiprelu, ActivationKind::Relu2, ActivationKind::Swiglu];

fn toy(act: ActivationKind, dtype: DType) -> Toy {
    let mut config = config(act, RopeStyle::Neox, true, false);
    if dtype.block_len() > 32 {
        (config.hidden_size, config.intermediate_size) = WIDE;
        config.num_heads = config.hidden_size / config.head_dim;
    }
    Toy::new(config, dtype)
}

/// The layer in f64, with the roundings to 8 bits that quantized weights ask for.
fn truth(toy: &Toy, dtype: DType, x: &[f32]) -> Vec<f64> {
    let input = |x: Vec<f64>| if dtype.is_quantized() { requantize(&x) } else { x };
    let weights = |role| toy.values(Role::Layer(0, role));
    x.chunks(toy.config.hidden_size)
        .flat_map(|x| {
            let x = input(x.iter().map(|&v| f64::from(v)).collect());
            let up = matvec(weights(LayerRole::FfnUp), &x);
            let gate = match toy.config.hidden_act.is_gated() {
                true => matvec(weights(LayerRole::FfnGate), &x),
                false => Vec::new(),
            };
            matvec(weights(LayerRole::FfnDown), &input(activate(toy.config.hidden_act, &up, &gate)))
        })
        .collect()
}

fn run(mlp: &Mlp, tile: usize, x: &[f32]) -> Result<Vec<f32>, Error> {
    let mut scratch = vec![f32::NAN; mlp.scratch_len(tile, x.len() / mlp.hidden_size())];
    let mut out = vec![f32::NAN; x.len()];
    mlp.forward_tiled(&Backend::default(), tile, x, &mut out, &mut scratch)?;
    Ok(out)
}

fn norm(x: impl Iterator<Item = f64>) -> f64 {
    x.map(|v| v * v).sum::<f64>().sqrt()
}

#[test]
fn every_form_type_and_tile_matches_f64() {
    for act in ACTS {
        // The rest differ in their products alone.
        let some = |dtype: &DType| act == ActivationKind::Xielu || ENCODED.contains(dtype);
        for dtype in DType::ALL.into_iter().filter(some) {
            let toy = toy(act, dtype);
            let mlp = Mlp::load(&&toy, &toy.config, 0).unwrap();
            let (block, ffn) = (dtype.block_len().max(32), mlp.intermediate_size());
            for tokens in [1, 2, 9] {
                let x = Noise::from_state(99).vec(tokens * mlp.hidden_size(), 2.0);
                let truth = truth(&toy, dtype, &x);
                let whole = run(&mlp, usize::MAX, &x).unwrap();
                let error = norm(whole.iter().zip(&truth).map(|(&a, b)| f64::from(a) - b))
                    / norm(truth.iter().copied());
                // A hidden value next to a rounding boundary may fall either way in f32.
                let tolerance = if dtype.is_quantized() { 2e-3 } else { 1e-6 };
                assert!(error < tolerance, "{act:?} {dtype} {tokens}: {error:e}");
                for tile in [block, 2 * block, ffn, ffn + 1] {
                    let tiled = run(&mlp, tile, &x).unwrap();
                    let difference = norm(whole.iter().zip(&tiled).map(|(a, b)| f64::from(a - b)));
                    assert!(difference < 1e-5 * norm(whole.iter().map(|&v| f64::from(v))));
                }
            }
        }
    }
}

#[test]
fn tiles_that_cut_a_block_or_do_nothing_are_errors() {
    let toy = toy(ActivationKind::Xielu, DType::Q4_0);
    let mlp = Mlp::load(&&toy, &toy.config, 0).unwrap();
    let x = [1.0; HIDDEN];
    for tile in [0, 1, 31, 33, 95] {
        assert_eq!(run(&mlp, tile, &x), Err(Error::Tile { tile, multiple: 32 }));
    }
    let wide = self::toy(ActivationKind::Xielu, DType::Q4_K);
    let mlp = Mlp::load(&&wide, &wide.config, 0).unwrap();
    for tile in [32, 255, 384] {
        assert_eq!(run(&mlp, tile, &[1.0; WIDE.0]), Err(Error::Tile { tile, multiple: 256 }));
    }
    let float = self::toy(ActivationKind::Xielu, DType::F32);
    let mlp = Mlp::load(&&float, &float.config, 0).unwrap();
    assert!(run(&mlp, 7, &x).is_ok());
}

#[test]
fn lengths_that_do_not_fit_are_errors() {
    let toy = toy(ActivationKind::Swiglu, DType::Q8_0);
    let mlp = Mlp::load(&&toy, &toy.config, 1).unwrap();
    let backend = Backend::default();
    let needed = mlp.scratch_len(FFN, 2);
    let mut scratch = vec![0.0; needed];
    let x = [0.5; 2 * HIDDEN];
    let mut out = [0.0; 2 * HIDDEN];
    assert_eq!(mlp.forward(&backend, &x, &mut out, &mut scratch), Ok(()));
    let short = mlp.forward(&backend, &x, &mut out, &mut scratch[..needed - 1]);
    assert!(matches!(short, Err(Error::Memory { .. })));
    assert!(mlp.forward(&backend, &x[..HIDDEN], &mut out, &mut scratch).is_err());
    assert!(mlp.forward(&backend, &x, &mut out[..HIDDEN + 1], &mut scratch).is_err());
    assert_eq!(mlp.forward(&backend, &[], &mut [], &mut scratch), Ok(()));
    let sizes = |tile, tokens| MlpSizes { hidden_size: HIDDEN, tile, tokens }.scratch_len();
    assert_eq!(sizes(FFN, 2), needed);
    assert_eq!(mlp.scratch_len(usize::MAX, 2), needed);
    assert_eq!(sizes(usize::MAX, 2), usize::MAX);
}

#[test]
fn matrices_that_do_not_fit_together_are_errors() {
    let bytes = vec![0; 96 * 64 * 4];
    let matrix = |rows, cols| {
        Matrix::new(DType::F32, Shape { rows, cols }, &bytes[..rows * cols * 4]).unwrap()
    };
    assert!(Mlp::new(matrix(96, 64), matrix(64, 96), Activation::Relu2).is_ok());
    assert!(matches!(
        Mlp::new(matrix(96, 64), matrix(96, 64), Activation::Relu2).err(),
        Some(Error::Shape { what: "down_proj", expected: [64, 96], found: [96, 64] })
    ));
    let gated = Mlp::gated(matrix(32, 64), matrix(96, 64), matrix(64, 96)).err();
    assert!(matches!(gated, Some(Error::Shape { what: "gate_proj", .. })));
    let q8_0 = Matrix::new(DType::Q8_0, Shape { rows: 96, cols: 64 }, &bytes[..96 * 68]).unwrap();
    assert!(Mlp::gated(q8_0, matrix(96, 64), matrix(64, 96)).is_err());
    assert!(Mlp::new(q8_0, matrix(64, 96), Activation::Relu2).is_ok());
}

#[test]
fn nan_and_infinity_come_out_as_such() {
    for dtype in [DType::F32, DType::Q8_0] {
        let toy = toy(ActivationKind::Xielu, dtype);
        let mlp = Mlp::load(&&toy, &toy.config, 0).unwrap();
        for bad in [f32::NAN, f32::INFINITY] {
            let mut x = [0.25; 2 * HIDDEN];
            x[70] = bad;
            let out = run(&mlp, 32, &x).unwrap();
            assert!(out[..HIDDEN].iter().all(|v| v.is_finite()));
            assert!(out[HIDDEN..].iter().all(|v| !v.is_finite()), "{dtype} {bad}");
        }
    }
}
