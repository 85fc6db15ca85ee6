//! The tokens of `tokenizer.rs` on this machine.

#[path = "../tokenizer.rs"]
mod tokenizer;

use tokenizer::{Memory, Observer, tokenize};

const MODEL: &[u8] = include_bytes!("../../../../models/tiny-Q8_0.gguf");

struct Print;

impl Observer for Print {
    fn begins(&mut self) {}
    fn cut(&mut self, ids: &[u32]) {
        println!("{ids:?}");
    }
    fn written(&mut self, bytes: usize) {
        println!("{bytes} bytes");
    }
}

fn main() -> Result<(), xielu::Error> {
    tokenize(MODEL, &mut Memory::new(), &mut Print)
}
