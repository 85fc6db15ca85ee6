//! Packed weights: the decoder gives the same logits with them, whole and tiled; and what they do
//! with bad input.

use xielu::activation::ActivationKind;
use xielu::config::RopeStyle;
use xielu::kernels::{DType, Isa, Kernels};
use xielu::llama::{DecoderOptions, Layer, Model};
use xielu::{Backend, Config, Error, Mlp, Serial};
use xielu_testing::decoding::{self, Setting, with_decoder_of};
use xielu_testing::kernels::every_kernel;
use xielu_testing::relative_error;
use xielu_testing::toy::{Toy, config};

const TOKENS: [u32; 7] = [3, 14, 15, 9, 26, 5, 35];

fn wide(hidden_act: ActivationKind) -> Config {
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
    let backend = Backend::new(kernels, &Serial);
    let options = DecoderOptions { batch, mlp_tile };
    let setting = Setting { backend, options, ..Setting::exact(16) };
    with_decoder_of(model, setting, |d| decoding::logits(d, &TOKENS, batch, 64))
}

#[test]
fn packed_models_have_the_same_logits() {
    for dtype in DType::ALL.into_iter().filter(|dtype| dtype.has_tiles()) {
        for act in [ActivationKind::Xielu, ActivationKind::Swiglu] {
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
                    // Sums in another order round some quantized activations the other way; the
                    // products themselves are held in `packed_products`.
                    let relative = relative_error(&found, &expected);
                    println!("{dtype} {} {batch} {tile}: {relative:.1e}", kernels.isa());
                    assert!(relative <= 2e-2, "{dtype} {} {relative}", kernels.isa());
                }
            }
        }
    }
}

#[test]
fn too_little_memory_and_tiles_that_cut_are_errors() {
    let toy = Toy::new(wide(ActivationKind::Xielu), DType::Q4_0);
    let mut layers = vec![Layer::EMPTY; 2];
    let model = Model::load(&&toy, &mut layers).unwrap();
    for kernels in every_kernel() {
        let needed = model.packed_bytes(&kernels);
        let pack = |layers: usize, bytes: usize| {
            let (mut packed, mut memory) = (vec![Layer::EMPTY; layers], vec![0; bytes]);
            model.pack(&kernels, &mut packed, &mut memory).map(|_| ())
        };
        assert_eq!(pack(2, needed), Ok(()));
        assert!(pack(1, needed).is_err());
        let mlp: &Mlp<'_> = model.layers()[0].mlp();
        let mut memory = vec![0; mlp.packed_bytes(&kernels)];
        let mlp = mlp.pack(&kernels, &mut memory).unwrap();
        let (x, mut y) = (vec![0.5; 256], vec![0.0; 256]);
        let mut scratch = vec![0.0; mlp.scratch_len(256, 1)];
        let backend = Backend::new(kernels, &Serial);
        mlp.forward_tiled(&backend, 256, &x, &mut y, &mut scratch).unwrap();
        let cut = mlp.forward_tiled(&backend, 32, &x, &mut y, &mut scratch);
        if kernels.isa() == Isa::Scalar {
            // Nothing is packed, and rows of 32 values are whole blocks.
            assert_eq!((needed, cut), (0, Ok(())));
            continue;
        }
        let error = pack(2, needed - 1).unwrap_err();
        assert!(matches!(error, Error::Memory { needed: n, .. } if n == needed), "{error}");
        assert_eq!(cut, Err(Error::Tile { tile: 32, multiple: 256 }));
    }
}
