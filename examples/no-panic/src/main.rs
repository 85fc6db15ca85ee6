//! Loads a GGUF, runs an MLP, cuts text into tokens, decodes them and encodes blocks, in a program
//! that cannot panic.
//!
//! The panic handler calls a function that exists nowhere. If the optimiser leaves any path to a
//! panic (an index, a `unwrap`, an overflow check, a slice copy), that call survives and the
//! program does not link: `cargo build --release` passing is the proof.
#![no_std]
#![no_main]

use core::hint::black_box;
use core::panic::PanicInfo;

use xielu::checkpoint::Checkpoint;
use xielu::checkpoint::gguf::{Gguf, SplitGguf};
use xielu::kernels::DType;
use xielu::llama::{
    Cuts, Decoder, DecoderOptions, KvCache, KvType, Layer, Model, Penalties, Sampler,
    SamplerOptions,
};
use xielu::quant::encode_row;
use xielu::tokenizer::bpe::{Bpe, Special, Utf8Stream, work_len};
use xielu::{Backend, Error, Mlp};

static MODEL: &[u8] = include_bytes!("../../../models/tiny-Q8_0.gguf");

const LAYERS: usize = 4;
const VOCAB: usize = 1024;

fn run(bytes: &[u8]) -> Result<u32, Error> {
    let parts = [Gguf::parse(bytes)?, Gguf::parse(black_box(bytes))?];
    let [gguf, _] = &parts;
    let config = gguf.config()?;
    // The second is none of the model's: the answer does not matter.
    let _ = black_box(SplitGguf::new(&parts).map(|split| split.config()));

    let mlp = Mlp::load(gguf, &config, 0)?;
    let mut out = [0.0; 128];
    let mut scratch = [0.0; 2048];
    let backend = Backend::default();
    mlp.forward(&backend, &[0.5; 128], &mut out, &mut scratch)?;
    mlp.forward_tiled(&backend, 64, &[0.5; 128], &mut out, &mut scratch)?;
    black_box(out);

    let row: [f32; 256] = black_box([0.25; 256]);
    let mut blocks = [0; 1024];
    for dtype in DType::ALL {
        let bytes = dtype.row_bytes(row.len()).and_then(|n| blocks.get_mut(..n));
        let _ = black_box(bytes.map(|bytes| encode_row(dtype, &row, bytes)));
    }
    black_box(blocks);

    text(&gguf)?;

    let mut layers = [Layer::EMPTY; LAYERS];
    let model = Model::load(gguf, &mut layers)?;
    let mut cache = [0; 4 * 2 * 64 * 32 * 2];
    let cache = KvCache::new(&config, 32, KvType::F16, &mut cache)?;
    let mut scratch = [0.0; 4096];
    let options = DecoderOptions { batch: 2, mlp_tile: 64 };
    let mut decoder = Decoder::new(&model, backend, options, cache, &mut scratch)?;
    let mut logits = [0.0; VOCAB];
    decoder.prompt(&[1, 2, 3])?;
    decoder.logits(&mut logits)?;
    let warm = SamplerOptions { temperature: 0.8, top_k: 40, top_p: 0.9, seed: 1 };
    Penalties { repetition: 1.1, presence: 0.1, frequency: 0.1 }.apply(&mut logits, &[1; VOCAB]);
    Cuts { temperature: 0.8, top_k: 40, top_p: 0.9, min_p: 0.1, typical_p: 0.9 }.apply(&mut logits);
    let id = Sampler::new(warm).sample(&logits)?;
    decoder.step(id, &mut logits)?;

    let mut cache = [0; 4 * 2 * 64 * 34];
    let cache = KvCache::new(&config, 32, KvType::Q8_0, &mut cache)?;
    let mut decoder = Decoder::new(&model, backend, options, cache, &mut scratch)?;
    decoder.step(id, &mut logits)?;
    Sampler::new(SamplerOptions::default()).sample(&logits)
}

/// Text to ids and back.
fn text(gguf: &Gguf<'_>) -> Result<(), Error> {
    let mut memory = [0; 8192];
    let bpe = Bpe::new(gguf, &mut memory)?;
    let text = black_box("The `Vec<T>` type is </s>");
    let (mut work, mut ids) = ([0; work_len(25)], [0; 32]);
    black_box(bpe.encode(text, Special::Plain, &mut work, &mut ids)?);
    let n = bpe.encode_prompt(text, &mut work, &mut ids)?;
    let mut stream = Utf8Stream::default();
    for &id in ids.iter().take(n) {
        let control = bpe.is_control(id) || bpe.is_end(id);
        let bytes = bpe.token(id)?.filter(|_| !control);
        bytes.for_each(|byte| stream.push(byte, &mut |text| _ = black_box(text)));
    }
    stream.finish(&mut |text| _ = black_box(text));
    Ok(())
}

/// The entry point. It computes and stops: there is no operating system interface to exit with.
#[unsafe(no_mangle)]
pub extern "C" fn _start() -> ! {
    let _ = black_box(run(black_box(MODEL)));
    loop {
        core::hint::spin_loop();
    }
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    unsafe extern "C" {
        /// Defined nowhere, so that a reachable panic is a link error.
        fn a_panic_is_reachable() -> !;
    }
    // SAFETY: never runs; a program with this call does not link.
    unsafe { a_panic_is_reachable() }
}
