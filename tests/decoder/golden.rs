//! The decoder against what Hugging Face transformers computed from the same weights
//! (`tests/data/tiny/goldens.safetensors`), and perplexity against llama.cpp's.

use xielu::checkpoint::Checkpoint;
use xielu::checkpoint::gguf::Gguf;
use xielu::checkpoint::hf::HfDir;
use xielu::llama::{
    Decoder, DecoderOptions, Generation, KvType, Observed, Sampler, SamplerOptions,
};
use xielu::{Backend, Mlp};
use xielu_testing::decoding::{self, Setting};
use xielu_testing::goldens::{Goldens, read};
use xielu_testing::relative_error;

const VOCAB: usize = 1024;

/// Runs `f` with a decoder over the checkpoint and the whole of its context.
fn with_decoder<'w, C: Checkpoint<'w>, R>(
    checkpoint: &C,
    kv_type: KvType,
    options: DecoderOptions,
    f: impl FnOnce(&mut Decoder) -> R,
) -> R {
    let context = checkpoint.config().unwrap().context_length;
    let setting = Setting { kv_type, options, ..Setting::exact(context) };
    decoding::with_decoder(checkpoint, setting, f)
}

/// `n` ids decoded greedily after a prompt.
fn greedy(decoder: &mut Decoder, prompt: &[u32], n: usize) -> Vec<u32> {
    let mut logits = vec![0.0; VOCAB];
    decoder.prompt(prompt).unwrap();
    decoder.logits(&mut logits).unwrap();
    let mut generation = Generation::new(Sampler::new(SamplerOptions::default()), n);
    let next = || generation.next_token(decoder, &mut logits, |_| false).unwrap();
    std::iter::from_fn(next).collect()
}

/// llama.cpp's protocol: windows of `window` ids, the predictions made at positions
/// `window/2 - 1 .. window - 1` are scored.
fn perplexity(decoder: &mut Decoder, ids: &[u32], window: usize) -> f64 {
    let mut nll = 0.0;
    let mut count = 0;
    for ids in ids.chunks_exact(window) {
        decoder.rewind(0);
        for (start, batch) in (0..).step_by(64).zip(ids.chunks(64)) {
            decoder.batch(batch).unwrap();
            let mut logits = vec![0.0; batch.len() * VOCAB];
            decoder.logits(&mut logits).unwrap();
            for (i, logits) in (start..).zip(logits.chunks(VOCAB)) {
                if i >= window / 2 && i + 1 < window {
                    nll -= log_softmax(logits, ids[i + 1]);
                    count += 1;
                }
            }
        }
    }
    (nll / f64::from(count)).exp()
}

fn log_softmax(logits: &[f32], id: u32) -> f64 {
    let largest = logits.iter().fold(f32::MIN, |m, &l| m.max(l));
    let sum: f64 = logits.iter().map(|&l| f64::from(l - largest).exp()).sum();
    f64::from(logits[id as usize] - largest) - sum.ln()
}

#[test]
fn hugging_face_directory_decodes_the_golden_ids_and_logits() {
    let goldens = Goldens::open();
    let dir = HfDir::open("tests/data/tiny").unwrap();
    golden_ids_and_logits(&&dir, &goldens);
}

#[test]
fn bf16_gguf_decodes_the_golden_ids_and_logits() {
    let goldens = Goldens::open();
    let bytes = read("tests/data/tiny-bf16.gguf");
    golden_ids_and_logits(&Gguf::parse(&bytes).unwrap(), &goldens);
}

fn golden_ids_and_logits<'w>(checkpoint: &impl Checkpoint<'w>, goldens: &Goldens) {
    let prompt = goldens.ids("prompt_ids");
    let greedy_ids = goldens.ids("greedy_ids");
    assert_eq!(greedy_ids[..prompt.len()], prompt);
    for kv_type in [KvType::F32, KvType::F16, KvType::BF16, KvType::Q8_0] {
        let ids = with_decoder(checkpoint, kv_type, DecoderOptions::default(), |d| {
            greedy(d, &prompt, 64)
        });
        assert_eq!(ids, greedy_ids[prompt.len()..], "{kv_type:?}");
    }
    let eval = goldens.ids("eval_ids");
    let truth = goldens.f32("logits_first128");
    for batch in [1, 7, 64, 128] {
        let options = DecoderOptions { batch, ..Default::default() };
        let logits = with_decoder(checkpoint, KvType::F32, options, |d| {
            let mut all = Vec::new();
            for ids in eval[..128].chunks(batch) {
                let mut logits = vec![0.0; ids.len() * VOCAB];
                d.batch(ids).unwrap();
                d.logits(&mut logits).unwrap();
                all.extend(logits);
            }
            all
        });
        let worst = logits.iter().zip(&truth).fold(0.0f32, |m, (a, b)| m.max((a - b).abs()));
        println!("batch {batch}: worst logit difference {worst:e}");
        assert!(worst < 2e-3);
    }
}

#[test]
fn mlp_layers_give_the_golden_outputs() {
    let goldens = Goldens::open();
    let dir = HfDir::open("tests/data/tiny").unwrap();
    let bytes = read("tests/data/tiny-bf16.gguf");
    let gguf = Gguf::parse(&bytes).unwrap();
    for layer in 0..4 {
        let config = gguf.config().unwrap();
        let x = goldens.f32(&format!("layer{layer}.mlp_in"));
        let truth = goldens.f32(&format!("layer{layer}.mlp_out"));
        let mlps = [
            Mlp::load(&gguf, &config, layer).unwrap(),
            Mlp::load(&&dir, &(&dir).config().unwrap(), layer).unwrap(),
        ];
        for mlp in mlps {
            for tile in [usize::MAX, 672, 256, 32] {
                let mut scratch = vec![0.0; mlp.scratch_len(tile, 32)];
                let mut out = vec![f32::NAN; x.len()];
                mlp.forward_tiled(&Backend::default(), tile, &x, &mut out, &mut scratch).unwrap();
                let error = relative_error(&out, &truth);
                println!("layer {layer} tile {tile}: relative error {error:e}");
                assert!(error < 1e-4);
            }
        }
    }
}

#[test]
fn observed_mlp_inputs_are_the_golden_ones() {
    let goldens = Goldens::open();
    let ids = goldens.ids("eval_ids");
    let bytes = read("tests/data/tiny-bf16.gguf");
    let gguf = Gguf::parse(&bytes).unwrap();
    for batch in [32, 5] {
        let options = DecoderOptions { batch, ..Default::default() };
        let mut seen = vec![Vec::new(); 4];
        let logits = with_decoder(&gguf, KvType::F32, options, |d| {
            for ids in ids[..32].chunks(batch) {
                let look = |layer: usize, observed, x: &[f32]| {
                    if observed == Observed::MlpInput {
                        seen[layer].extend_from_slice(x);
                    }
                };
                d.batch_observed(ids, look).unwrap();
            }
            let mut logits = vec![0.0; VOCAB];
            d.logits(&mut logits).unwrap();
            logits
        });
        for (layer, x) in seen.iter().enumerate() {
            let error = relative_error(x, &goldens.f32(&format!("layer{layer}.mlp_in")));
            assert!(error < 1e-4, "layer {layer}, batch {batch}: {error:e}");
        }
        // Looking changes nothing.
        let blind = with_decoder(&gguf, KvType::F32, options, |d| {
            let mut logits = vec![0.0; VOCAB];
            d.prompt(&ids[..32]).unwrap();
            d.logits(&mut logits).unwrap();
            logits
        });
        assert_eq!(logits, blind);
    }
}

/// bf16 as transformers and llama.cpp have it; Q8_0 and Q4_0 as llama.cpp has them. Whole and
/// tiled.
#[test]
fn perplexity_is_that_of_transformers_and_llama_cpp() {
    let eval = Goldens::open().ids("eval_ids");
    let cases = [
        ("tests/data/tiny-bf16.gguf", 13.019, 13.039),
        ("tests/data/tiny-Q8_0.gguf", 13.0, 13.06),
        ("tests/data/tiny-Q4_0.gguf", 13.3, 13.42),
    ];
    for (path, low, high) in cases {
        let bytes = read(path);
        let gguf = Gguf::parse(&bytes).unwrap();
        for mlp_tile in [usize::MAX, 96] {
            let options = DecoderOptions { mlp_tile, ..Default::default() };
            let ppl = with_decoder(&gguf, KvType::F32, options, |d| perplexity(d, &eval, 256));
            println!("{path} tile {mlp_tile}: perplexity {ppl:.4}");
            assert!(ppl > low && ppl < high, "{path}: {ppl}");
        }
    }
}

/// What the cache's type costs: of logits, relative to the f32 cache's, and of perplexity.
#[test]
fn smaller_caches_cost_little() {
    let eval = Goldens::open().ids("eval_ids");
    let bytes = read("tests/data/tiny-bf16.gguf");
    let gguf = Gguf::parse(&bytes).unwrap();
    let run = |kv_type| {
        with_decoder(&gguf, kv_type, DecoderOptions::default(), |d| {
            let ppl = perplexity(d, &eval, 256);
            let mut logits = vec![0.0; 64 * VOCAB];
            d.rewind(0);
            d.prompt(&eval[..256]).unwrap();
            d.logits(&mut logits).unwrap();
            (ppl, logits)
        })
    };
    let (exact, truth) = run(KvType::F32);
    println!("f32: perplexity {exact:.4}");
    for (kv_type, of_logits, of_perplexity) in
        [(KvType::F16, 1e-3, 1e-3), (KvType::BF16, 5e-3, 5e-3), (KvType::Q8_0, 1e-2, 1e-2)]
    {
        let (ppl, logits) = run(kv_type);
        let error = relative_error(&logits, &truth);
        println!("{kv_type:?}: perplexity {ppl:.4}, logits {error:.1e} off");
        assert!(error > 0.0 && error < of_logits, "{kv_type:?}: {error:e}");
        assert!((ppl - exact).abs() < of_perplexity, "{kv_type:?}: {ppl}");
    }
}
