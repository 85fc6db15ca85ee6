//! Text of the kind that the bundled model knows, cut into tokens: by searching the file or, with
//! feature `index`, by indexes in memory.

use xielu::Error;
use xielu::checkpoint::gguf::Gguf;
use xielu::tokenizer::bpe::{Bpe, InPlace, work_len};

const TEXT: &str = "\
Returns `true` if the option is a [`Some`] and the value inside of it matches a predicate.

# Examples

```
let x: Option<u32> = Some(2);
assert_eq!(x.is_some_and(|x| x > 1), true);

let mut buffer = String::with_capacity(1024);
buffer.push_str(\"Größe: ½ m²\");
```
The capacity will be greater than or equal to `self.len() + additional` after calling `reserve`.";

/// Bytes of its longest word, and more.
const LONGEST_WORD: usize = 32;
const WORK: usize =
    if cfg!(feature = "index") { work_len(LONGEST_WORD) } else { InPlace::work_len(LONGEST_WORD) };
/// Elements of the indexes of 1,024 tokens.
const INDEX: usize = if cfg!(feature = "index") { 6261 } else { 0 };

/// All memory there is.
pub struct Memory {
    index: [u32; INDEX],
    work: [u32; WORK],
    ids: [u32; 256],
}

impl Memory {
    pub const fn new() -> Self {
        Memory { index: [0; INDEX], work: [0; WORK], ids: [0; 256] }
    }

    /// Bytes of indexes and work.
    #[allow(dead_code)] // only the board's program says it
    pub const fn bytes() -> usize {
        4 * (INDEX + WORK)
    }
}

/// Watches a run.
pub trait Observer {
    /// The text is about to be cut.
    fn begins(&mut self);
    /// It was, into so many tokens.
    fn cut(&mut self, ids: &[u32]);
    /// Its tokens are text again: so many bytes.
    fn written(&mut self, bytes: usize);
}

/// Cuts the text into tokens, and writes the tokens as text.
pub fn tokenize(
    file: &[u8],
    memory: &mut Memory,
    observer: &mut impl Observer,
) -> Result<(), Error> {
    let gguf = Gguf::parse(file)?;
    let Memory { index, work, ids } = memory;
    #[cfg(feature = "index")]
    let bpe = Bpe::new(&gguf, index)?;
    #[cfg(not(feature = "index"))]
    let (bpe, _) = (Bpe::in_place(&gguf)?, index);
    observer.begins();
    let n = bpe.encode_prompt(TEXT, work, ids)?;
    let ids = ids.get(..n).ok_or(Error::OutOfRange("ids"))?;
    observer.cut(ids);
    observer.begins();
    let mut bytes = 0;
    for &id in ids {
        if !bpe.is_end(id) && !bpe.is_control(id) {
            bytes += bpe.token(id)?.count();
        }
    }
    observer.written(bytes);
    Ok(())
}
