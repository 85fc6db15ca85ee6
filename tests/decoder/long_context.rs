//! Contexts that attention takes in tiles and in chunks: whichever way the tokens come, and however
//! many threads share them, they give what one after the other gives.

use xielu::activation::ActivationKind;
use xielu::config::RopeStyle;
use xielu::kernels::{DType, Kernels};
use xielu::llama::{DecoderOptions, KvType};
use xielu::{Backend, Config, Serial};
use xielu_testing::decoding::{Setting, with_decoder};
use xielu_testing::kernels::every_kernel;
use xielu_testing::relative_error;
use xielu_testing::toy::{Toy, config};

/// More than one chunk, and no whole number of tiles or blocks.
const CONTEXT: usize = 700;

/// Three query heads share one of keys and values.
fn grouped() -> Toy {
    let config = config(ActivationKind::Xielu, RopeStyle::Neox, true, false);
    let config = Config { head_dim: 32, num_layers: 1, ..config };
    Toy::new(Config { context_length: CONTEXT, ..config }, DType::F32)
}

/// The logits of the last tokens, `batch` at a time before them and one at a time at the end.
fn last_logits(toy: &Toy, backend: Backend<'_>, kv_type: KvType, batch: usize) -> Vec<f32> {
    let options = DecoderOptions { batch, mlp_tile: usize::MAX };
    let setting = Setting { backend, context: CONTEXT, kv_type, options };
    with_decoder(&toy, setting, |decoder| {
        let vocab_size = toy.config.vocab_size;
        let tokens: Vec<u32> = (0..CONTEXT).map(|i| (i * 7 % vocab_size) as u32).collect();
        let (prompt, last) = tokens.split_at(CONTEXT - 3);
        decoder.prompt(prompt).unwrap();
        let mut all = vec![0.0; vocab_size];
        decoder.logits(&mut all).unwrap();
        for &token in last {
            let mut logits = vec![0.0; vocab_size];
            decoder.step(token, &mut logits).unwrap();
            all.extend(logits);
        }
        all
    })
}

#[test]
fn tiles_and_chunks_give_what_one_token_after_the_other_gives() {
    let toy = grouped();
    // One at a time leaves no scratch for chunks.
    let plain = last_logits(&toy, Backend::new(Kernels::scalar(), &Serial), KvType::F32, 1);
    for kernels in every_kernel() {
        let backend = Backend::new(kernels, &Serial);
        for (kv_type, batch, bound) in [
            (KvType::F32, 3, 3e-6),
            (KvType::F32, 200, 3e-6),
            (KvType::F16, 64, 5e-4),
            (KvType::BF16, 64, 5e-3),
            (KvType::Q8_0, 64, 2e-2),
        ] {
            let error = relative_error(&last_logits(&toy, backend, kv_type, batch), &plain);
            println!("{} {kv_type:?} {batch}: {error:.1e}", kernels.isa());
            assert!(error < bound, "{} {kv_type:?} {batch}: {error:e}", kernels.isa());
        }
    }
}

#[cfg(feature = "rayon")]
#[test]
fn threads_change_no_bit_of_a_long_context() {
    let toy = grouped();
    for (kv_type, batch) in [(KvType::F16, 8), (KvType::F16, 256), (KvType::Q8_0, 256)] {
        let serial = last_logits(&toy, Backend::default(), kv_type, batch);
        for threads in [2, 7, 16] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let backend = Backend::new(Kernels::detect(), &xielu::Rayon);
            let ours = pool.install(|| last_logits(&toy, backend, kv_type, batch));
            assert_eq!(ours, serial, "{kv_type:?} {batch}, {threads} threads");
        }
    }
}
