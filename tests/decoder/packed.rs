//! Packed weights: the decoder gives the same logits with them, whole and tiled; and what they do
//! with bad input.

use xielu::config::{HiddenAct, RopeStyle};
use xielu::kernels::{DType, Isa, Kernels};
use xielu::llama::{Decoder, DecoderOptions, KvCache, KvType, Layer, Model};
use xielu::{Backend, Config, Error, Mlp, Serial};
use xielu_testing::kernels::every_kernel;
use xielu_testing::toy::{Toy, config};

const TOKENS: [u32; 7] = [3, 14, 15, 9, 26, 5, 35];

fn wide(hidden_act: HiddenAct) -> Config {
    Config {
        vocab_size: 64,
        output_vocab_size: 64,
        hidden_size: 256,
        intermediate_size: 512,
        num_heads: 8,
        head_dim: 32,
        ..config(hidden_act, RopeStyle::Neox, true, false)
    }
}

/// The logits after each of `TOKENS`.
fn logits(model: &Model<'_, '_>, kernels: Kernels, batch: usize, mlp_tile: usize) -> Vec<f32> {
    let options = DecoderOptions { batch, mlp_tile };
    let mut cache = vec![0; 1 << 18];
    let mut scratch = vec![0.0; Decoder::scratch_len(model.config(), &options)];
    let cache = KvCache::new(model.config(), 16, KvType::F32, &mut cache).unwrap();
    let backend = Backend::new(kernels, &Serial);
    let mut d = Decoder::new(model, backend, options, cache, &mut scratch).unwrap();
    let mut all = Vec::new();
    for tokens in TOKENS.chunks(batch) {
        let mut logits = vec![0.0; tokens.len() * 64];
        d.batch(tokens).unwrap();
        d.logits(&mut logits).unwrap();
        all.extend(logits);
    }
    all
}

#[test]
fn packed_models_have_the_same_logits() {
    for dtype in DType::ALL.into_iter().filter(|dtype| dtype.is_quantized()) {
        for act in [HiddenAct::Xielu, HiddenAct::Swiglu] {
            let toy = Toy::new(wide(act), dtype);
            let mut layers = vec![Layer::EMPTY; 2];
            let model = Model::load(&&toy, &mut layers).unwrap();
            for kernels in every_kernel() {
                let mut memory = vec![0; model.packed_bytes(&kernels)];
                assert_eq!(memory.is_empty(), kernels.isa() == Isa::Scalar);
                let mut layers = vec![Layer::EMPTY; 2];
                let packed = model.pack(&kernels, &mut layers, &mut memory).unwrap();
                for (batch, tile) in [(1, 512), (4, 512), (7, 256)] {
                    let expected = logits(&model, kernels, batch, tile);
                    let found = logits(&packed, kernels, batch, tile);
                    // Sums in another order round some quantized activations the other way.
                    let square = |v: f32| f64::from(v) * f64::from(v);
                    let size: f64 = expected.iter().map(|v| square(*v)).sum();
                    let error: f64 = expected.iter().zip(&found).map(|(a, b)| square(a - b)).sum();
                    let relative = (error / size).sqrt();
                    assert!(relative <= 3e-2, "{dtype} {} {relative}", kernels.isa());
                }
            }
        }
    }
}

#[test]
fn too_little_memory_and_tiles_that_cut_are_errors() {
    let kernels = Kernels::detect();
    let toy = Toy::new(wide(HiddenAct::Xielu), DType::Q4_0);
    let mut layers = vec![Layer::EMPTY; 2];
    let model = Model::load(&&toy, &mut layers).unwrap();
    let needed = model.packed_bytes(&kernels);
    if needed == 0 {
        return; // no SIMD here: tested above
    }
    let (mut packed, mut memory) = (vec![Layer::EMPTY; 2], vec![0; needed - 1]);
    let error = model.pack(&kernels, &mut packed, &mut memory).unwrap_err();
    assert!(matches!(error, Error::Memory { needed: n, .. } if n == needed), "{error}");
    let (mut packed, mut memory) = (vec![Layer::EMPTY; 1], vec![0; needed]);
    assert!(model.pack(&kernels, &mut packed, &mut memory).is_err());

    let mlp: &Mlp<'_> = model.layers()[0].mlp();
    let mut memory = vec![0; mlp.packed_bytes(&kernels)];
    let mlp = mlp.pack(&kernels, &mut memory).unwrap();
    let (x, mut y) = (vec![0.5; 256], vec![0.0; 256]);
    let mut scratch = vec![0.0; mlp.scratch_len(256, 1)];
    let backend = Backend::new(kernels, &Serial);
    mlp.forward_tiled(&backend, 256, &x, &mut y, &mut scratch).unwrap();
    let error = mlp.forward_tiled(&backend, 32, &x, &mut y, &mut scratch).unwrap_err();
    assert!(matches!(error, Error::Tile { tile: 32, multiple: 256 }), "{error}");
}
