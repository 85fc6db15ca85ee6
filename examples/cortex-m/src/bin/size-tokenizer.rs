//! Flash of text to ids and back: the GGUF reader, byte-level BPE, Unicode's categories.
#![no_std]
#![no_main]

#[path = "../size.rs"]
mod size;

use xielu::checkpoint::gguf::Gguf;
use xielu::tokenizer::bpe::{Bpe, Utf8Stream};

#[unsafe(no_mangle)]
fn _start(
    file: &[u8],
    memory: &mut [u32],
    work: &mut [u32],
    text: &str,
    ids: &mut [u32],
    write: &mut dyn FnMut(&str),
) -> bool {
    let Ok(gguf) = Gguf::parse(file) else { return false };
    #[cfg(feature = "index")]
    let Ok(bpe) = Bpe::new(&gguf, memory) else { return false };
    #[cfg(not(feature = "index"))]
    let (Ok(bpe), _) = (Bpe::in_place(&gguf), memory) else { return false };
    let Ok(n) = bpe.encode_prompt(text, work, ids) else { return false };
    let mut stream = Utf8Stream::default();
    for bytes in ids.iter().take(n).filter_map(|&id| bpe.token(id).ok()) {
        bytes.for_each(|byte| stream.push(byte, write));
    }
    stream.finish(write);
    true
}
