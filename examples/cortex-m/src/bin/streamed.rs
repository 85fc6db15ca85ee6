//! The bundled model with its weights on a device: a file of the host, read in blocks of 512 bytes by
//! commands. Of the model, flash holds the head: metadata, vocabulary, where tensors lie. Logs ids and
//! text as the firmware does, and what a token takes.
#![no_std]
#![no_main]

#[path = "../board.rs"]
mod board;
#[path = "../log.rs"]
mod log;
#[path = "../semihosting.rs"]
mod semihosting;
#[path = "../size.rs"]
mod size;

use board::Instructions;
use defmt::{error, info};
use semihosting::File;
use xielu::checkpoint::gguf::GgufHead;
use xielu::embedded::{Needs, Program, Static};
use xielu::llama::streamed::{
    Blocking, Fault, Read, StreamedDecoder, StreamedLayer, StreamedModel,
};
use xielu::llama::{KvCache, KvType, argmax};
use xielu::{Backend, Error};

/// The model's file, which only the compiler reads; and what the program reads.
const FILE: &[u8] = include_bytes!("../../../../models/tiny-Q8_0.gguf");
const PATH: &[u8] = b"../../models/tiny-Q8_0.gguf\0";
static HEAD: [u8; Needs::head_len::<Bundled>()] = match FILE.first_chunk() {
    Some(head) => *head,
    None => panic!(),
};

struct Bundled;
impl Program for Bundled {
    const MODEL: &'static [u8] = FILE;
}

/// "The `Vec<T>` type is" as tokens of the bundled model.
const PROMPT: [u32; 10] = [443, 372, 56, 539, 30, 54, 32, 66, 459, 313];
const TOKENS: usize = 40;
const CONTEXT: usize = 64;
/// Tokens of the prompt that are decoded together: each matrix is read once for all of them.
const BATCH: usize = 2;
const BLOCK: usize = 512;
const TILE: usize = 4096 + 2 * BLOCK;

const NEEDS: Needs = Needs::of::<Bundled>(CONTEXT);

/// All RAM but the layers' views and the stack.
#[repr(align(8))]
struct Memory {
    cache: [u8; NEEDS.kv_cache],
    scratch: [f32; Needs::streamed_scratch::<Bundled>(BATCH, true)],
    logits: [f32; NEEDS.logits / 4],
    tiles: [[u8; TILE]; 2],
}

static MEMORY: Static<Memory> = Static::new(Memory {
    cache: [0; NEEDS.kv_cache],
    scratch: [0.0; Needs::streamed_scratch::<Bundled>(BATCH, true)],
    logits: [0.0; NEEDS.logits / 4],
    tiles: [[0; TILE]; 2],
});

/// The device, and what it was asked for.
struct Device {
    file: File,
    len: usize,
    blocks: u32,
}

impl Device {
    fn open() -> Option<Self> {
        let file = File::open(PATH)?;
        Some(Device { file, len: file.len()?, blocks: 0 })
    }
}

impl Read for Device {
    fn size(&self) -> u64 {
        self.len as u64
    }

    fn unit(&self) -> usize {
        BLOCK
    }

    fn read(&mut self, offset: u64, buffer: &mut [u8]) -> Result<usize, Fault> {
        self.blocks = self.blocks.saturating_add(buffer.len().div_ceil(BLOCK) as u32);
        let offset = usize::try_from(offset).map_err(|_| Fault(1))?;
        self.file.read(offset, buffer).ok_or(Fault(2))
    }
}

#[board::entry]
fn main() -> ! {
    board::paint_stack();
    info!("board: {=str}", board::NAME);
    let Some((device, memory)) = Device::open().zip(MEMORY.take()) else {
        error!("there is no device");
        semihosting::exit(false)
    };
    let result = run(device, memory);
    if let Err(error) = &result {
        error!("the model does not run: {}", error);
    }
    semihosting::exit(result.is_ok())
}

fn run(device: Device, memory: &'static mut Memory) -> Result<(), Error> {
    let head = GgufHead::parse(&HEAD, device.size())?;
    let mut layers = [StreamedLayer::EMPTY; NEEDS.layers];
    let model = StreamedModel::load(&head, &mut layers)?;
    let Memory { cache, scratch, logits, tiles: [one, other] } = memory;
    let cache = KvCache::new(model.config(), CONTEXT, KvType::F16, cache)?;
    let source = (Blocking::new(device), [&mut one[..], &mut other[..]]);
    let backend = Backend::default();
    let mut decoder = StreamedDecoder::new(&model, backend, BATCH, cache, scratch, source)?;
    decoder.compare(&HEAD)?;

    let vocabulary = head.gguf().read_strs("tokenizer.ggml.tokens")?;
    let piece = |id: u32| vocabulary.clone().and_then(|mut v| v.nth(id as usize)).unwrap_or("");
    let mut counter = Instructions::new();
    let mut instructions = 0;
    decoder.prompt(&PROMPT)?;
    decoder.logits(logits)?;
    let blocks = decoder.source().reader().blocks;
    for left in (0..TOKENS).rev() {
        let id = argmax(logits).ok_or(Error::NothingToDraw)?;
        info!("{=u32} {=str}", id, piece(id));
        if left > 0 {
            counter.start();
            decoder.step(id, logits)?;
            instructions += counter.elapsed() / 16;
        }
    }
    let steps = TOKENS as u32 - 1;
    let blocks = decoder.source().reader().blocks.wrapping_sub(blocks);
    info!("measured: flash {=usize}", board::flash());
    info!("measured: head {=usize}", HEAD.len());
    info!("measured: ram {=usize}", board::static_ram());
    info!("measured: stack {=usize}", board::stack_high_water());
    info!("measured: instructions {=u32}", (instructions / steps).saturating_mul(16));
    info!("measured: bytes {=u32}", blocks.saturating_mul(BLOCK as u32) / steps);
    Ok(())
}
