//! What the firmware and the host run alike: the bundled model, greedily, in memory whose size is
//! known when the program is compiled.

use heapless::{String, Vec};
use xielu::checkpoint::gguf::Gguf;
use xielu::embedded::{Needs, Program};
use xielu::llama::{DecoderOptions, KvType};
use xielu::{Backend, Error, embedded};

/// Tokens that are generated.
pub const TOKENS: usize = 40;
/// "The `Vec<T>` type is" as tokens of the bundled model.
const PROMPT: [u32; 10] = [443, 372, 56, 539, 30, 54, 32, 66, 459, 313];
/// Positions the KV cache has room for.
const CONTEXT: usize = 64;

/// The bundled model: where it lies is the program's.
pub struct Bundled;

impl Program for Bundled {
    const MODEL: &'static [u8] = crate::MODEL;
    const KV_TYPE: KvType = if cfg!(feature = "kv-q8_0") { KvType::Q8_0 } else { KvType::F16 };
    // For two cores, a block of 256 hidden values each.
    const OPTIONS: DecoderOptions =
        DecoderOptions { batch: 1, mlp_tile: if cfg!(feature = "two-cores") { 512 } else { 256 } };
}

const NEEDS: Needs = Needs::of::<Bundled>(CONTEXT);

/// As many bytes as it must have. `check.sh` tries with fewer, which does not compile.
const BYTES: usize = NEEDS.bytes_of_tokens() - if cfg!(feature = "too-small") { 1000 } else { 0 };

pub type Session = embedded::Session<Bundled, { NEEDS.layers }, CONTEXT, BYTES>;

/// Watches a run.
pub trait Observer {
    /// The last token is about to be decoded and another one chosen.
    fn step_begins(&mut self);
    /// This one. The first was chosen without a step, after the prompt.
    fn token(&mut self, id: u32, piece: &str);
}

/// Continues [`PROMPT`] by [`TOKENS`] tokens: their ids and text.
pub fn generate(
    session: &'static mut Session,
    observer: &mut impl Observer,
) -> Result<(Vec<u32, TOKENS>, String<512>), Error> {
    let vocabulary = Gguf::parse(Bundled::MODEL)?.read_strs("tokenizer.ggml.tokens")?;
    let piece = |id: u32| vocabulary.clone().and_then(|mut v| v.nth(id as usize)).unwrap_or("");

    let mut session = session.start_tokens(backend())?;
    session.prompt(&PROMPT, TOKENS)?;
    let (mut ids, mut text) = (Vec::new(), String::new());
    PROMPT.iter().for_each(|&id| append(&mut text, piece(id)));
    while let Some(id) = session.next_token(|_| false)? {
        observer.token(id, piece(id));
        append(&mut text, piece(id));
        // Only a full list refuses, and no more come.
        let _ = ids.push(id);
        observer.step_begins();
    }
    Ok((ids, text))
}

fn backend() -> Backend<'static> {
    #[cfg(all(feature = "two-cores", target_os = "none"))]
    let backend = crate::second::backend();
    #[cfg(not(all(feature = "two-cores", target_os = "none")))]
    let backend = Backend::default();
    #[cfg(feature = "micromath")]
    let backend = backend.with_rough_functions();
    backend
}

/// Byte-level vocabularies write a space as `Ġ` and the end of a line as `Ċ`. What no longer fits
/// is left out.
fn append(text: &mut String<512>, piece: &str) {
    for c in piece.chars() {
        let c = match c {
            'Ġ' => ' ',
            'Ċ' => '\n',
            c => c,
        };
        let _ = text.push(c);
    }
}
