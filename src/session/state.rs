//! What was decoded, in a file: the tokens, their keys and values.
//!
//! All numbers are little-endian, on every machine:
//!
//! | bytes | what |
//! |---|---|
//! | 8 | `xielu-kv` |
//! | 4 | the format's version, 1 |
//! | 4 | the type of keys and values: 0 f32, 1 f16, 2 bf16, 3 q8_0 |
//! | 8 | the model's fingerprint |
//! | 4 each | layers, KV heads, width of a head |
//! | 4 | positions decoded |
//! | 4 | tokens: as many, or one more that was drawn and not decoded |
//! | 16 | zeros |
//! | 4 | CRC-32 of the bytes before |
//! | 4 each | the tokens |
//! | ... | keys, then values, of each layer: of each head all positions in a row |
//! | 4 | CRC-32 of all bytes before |

use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::path::Path;
use std::vec::Vec;

use crc32fast::Hasher;

use super::fingerprint::fingerprint;
use super::{Session, SessionError, StateError};
#[cfg(feature = "std")]
use crate::checkpoint::AtomicFile;
use crate::llama::{KvCache, KvType, Progress};

const MAGIC: &[u8; 8] = b"xielu-kv";
const VERSION: u32 = 1;
/// Bytes before the tokens, in every version.
const HEADER: usize = 64;
/// The types of keys and values by their numbers in files.
const TYPES: [KvType; 4] = [KvType::F32, KvType::F16, KvType::BF16, KvType::Q8_0];
/// Room that a state's session has for more tokens, where no context is given.
const ROOM: usize = 64;

/// What a file says before its tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Header {
    kv_type: KvType,
    fingerprint: u64,
    /// Layers, KV heads, width of a head.
    shape: [u32; 3],
    positions: u32,
    tokens: u32,
}

impl Header {
    fn bytes(&self) -> [u8; HEADER] {
        let kv_type = TYPES.iter().position(|&t| t == self.kv_type).unwrap_or(0) as u32;
        let mut all = Vec::with_capacity(HEADER);
        all.extend(MAGIC);
        [VERSION, kv_type].iter().for_each(|n| all.extend(n.to_le_bytes()));
        all.extend(self.fingerprint.to_le_bytes());
        let [layers, heads, width] = self.shape;
        for n in [layers, heads, width, self.positions, self.tokens] {
            all.extend(n.to_le_bytes());
        }
        all.resize(HEADER - 4, 0);
        all.extend(crc32fast::hash(&all).to_le_bytes());
        let mut bytes = [0; HEADER];
        bytes.copy_from_slice(&all);
        bytes
    }

    fn parse(bytes: &[u8; HEADER]) -> Result<Self, StateError> {
        let n = |at: usize| {
            let four = bytes.get(at..at + 4).and_then(|four| four.try_into().ok());
            u32::from_le_bytes(four.unwrap_or_default())
        };
        if !bytes.starts_with(MAGIC) {
            return Err(StateError::NotAState);
        }
        if n(HEADER - 4) != crc32fast::hash(bytes.get(..HEADER - 4).unwrap_or_default()) {
            return Err(StateError::Damaged);
        }
        if n(8) != VERSION {
            return Err(StateError::Version(n(8)));
        }
        let kv_type = TYPES.get(n(12) as usize).copied().ok_or(StateError::Damaged)?;
        let fingerprint = u64::from(n(16)) | u64::from(n(20)) << 32;
        let (positions, tokens) = (n(36), n(40));
        let pending = tokens.checked_sub(positions);
        if positions == 0 || pending.is_none_or(|pending| pending > 1) {
            return Err(StateError::Damaged);
        }
        Ok(Header { kv_type, fingerprint, shape: [n(24), n(28), n(32)], positions, tokens })
    }
}

/// A reader or writer, and the CRC-32 of what has gone through.
struct Counted<T> {
    inner: T,
    crc: Hasher,
}

impl<T> Counted<T> {
    fn new(inner: T) -> Self {
        Counted { inner, crc: Hasher::new() }
    }
}

impl<W: Write> Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.crc.update(bytes);
        self.inner.write_all(bytes)
    }
}

impl<R: Read> Counted<R> {
    fn read(&mut self, bytes: &mut [u8]) -> Result<(), StateError> {
        self.inner.read_exact(bytes)?;
        self.crc.update(bytes);
        Ok(())
    }
}

impl Session {
    /// Writes what was decoded: the tokens, their keys and values, so that
    /// [`Session::read_state`] of the same model goes on from here. The size is about
    /// [`Session::memory`]'s KV cache for as many positions. (Into a file that appears whole or not
    /// at all: `checkpoint::AtomicFile`.)
    ///
    /// # Errors
    /// [`SessionError::State`]: nothing was decoded, or by [`Session::with_decoder`], or `out`
    /// fails.
    pub fn write_state(&self, out: impl Write) -> Result<(), SessionError> {
        let positions = self.position();
        let known = self.ids.len() == positions && positions > 0;
        let Some(working) = self.working.as_ref().filter(|_| known) else {
            return Err(StateError::NothingKnown.into());
        };
        let config = self.config();
        let header = self.header(positions + self.unread.iter().len())?.bytes();
        let mut out = Counted::new(out);
        let mut write = |bytes: &[u8]| out.write(bytes).map_err(StateError::Io);
        write(&header)?;
        for id in self.ids.iter().chain(&self.unread) {
            write(&id.to_le_bytes())?;
        }
        let kv_type = self.options.kv_type;
        for range in KvCache::filled(config, working.context, kv_type, positions) {
            #[cfg(feature = "cuda")]
            if let Some(bytes) = self.cache_of_device(range.clone())? {
                write(&bytes)?;
                continue;
            }
            write(working.cache.get(range).unwrap_or_default())?;
        }
        let crc = out.crc.finalize().to_le_bytes();
        out.inner.write_all(&crc).and_then(|()| out.inner.flush()).map_err(StateError::Io)?;
        Ok(())
    }

    /// Goes on where [`Session::write_state`] was called: what was decoded here before is
    /// forgotten. [`Session::read_whole`] then reads only what a text does not have in common with
    /// the state's tokens ([`Session::tokens`]), and [`Session::write`] generates what follows
    /// them. The KV cache is reserved first, if it was not.
    ///
    /// # Errors
    /// [`SessionError::State`]: it is no such state, of another model, type of cache or format,
    /// longer than the context, damaged or not whole; [`SessionError::Memory`]. The session is then
    /// at the beginning of a text.
    pub fn read_state(&mut self, from: impl Read) -> Result<(), SessionError> {
        self.reset();
        let result = self.take_state(from);
        if result.is_err() {
            self.reset();
        }
        result
    }

    /// [`Session::write_state`] to a file, which appears whole or not at all.
    ///
    /// # Errors
    /// As [`Session::write_state`]; what the file held before stays.
    #[cfg(feature = "std")]
    pub fn save_state(&self, path: impl AsRef<Path>) -> Result<(), SessionError> {
        let mut file = AtomicFile::create(path).map_err(StateError::Io)?;
        self.write_state(&mut file)?;
        Ok(file.commit().map_err(StateError::Io)?)
    }

    /// [`Session::read_state`] from a file.
    ///
    /// # Errors
    /// As [`Session::read_state`].
    pub fn load_state(&mut self, path: impl AsRef<Path>) -> Result<(), SessionError> {
        self.reset();
        let file = File::open(path).map_err(StateError::Io)?;
        self.read_state(BufReader::new(file))
    }

    /// The tokens read and generated so far, without one that was drawn and not decoded yet; none
    /// after [`Session::with_decoder`].
    pub fn tokens(&self) -> &[u32] {
        &self.ids
    }

    fn take_state(&mut self, from: impl Read) -> Result<(), SessionError> {
        let mut from = Counted::new(from);
        let mut bytes = [0; HEADER];
        let magic = &mut bytes[..MAGIC.len()];
        match from.read(magic) {
            Ok(()) if magic == MAGIC => {}
            Ok(()) | Err(StateError::Truncated) => return Err(StateError::NotAState.into()),
            Err(e) => return Err(e.into()),
        }
        from.read(&mut bytes[MAGIC.len()..])?;
        let header = Header::parse(&bytes)?;
        let ours = self.header(header.tokens as usize)?;
        if (ours.fingerprint, ours.shape) != (header.fingerprint, header.shape) {
            return Err(StateError::OtherModel.into());
        }
        let (found, wanted) = (header.kv_type, ours.kv_type);
        if found != wanted {
            return Err(StateError::OtherType { found, wanted }.into());
        }
        let (positions, tokens) = (header.positions as usize, header.tokens as usize);
        let context = match self.context() {
            0 => self
                .options
                .context
                .unwrap_or_else(|| self.default_context(tokens.saturating_add(ROOM)).positions),
            context => context,
        };
        if tokens > context {
            return Err(StateError::Context { tokens, context }.into());
        }
        if self.context() == 0 {
            self.reserve(context)?;
        }
        // Tokens fit the context, so a file cannot make this larger than the cache's memory.
        let mut ids = Vec::with_capacity(tokens);
        let mut id = [0; 4];
        for _ in 0..tokens {
            from.read(&mut id)?;
            ids.push(u32::from_le_bytes(id));
        }
        let config = *self.config();
        for range in KvCache::filled(&config, context, wanted, positions) {
            #[cfg(feature = "cuda")]
            if self.device.is_some() {
                let mut bytes = std::vec![0; range.len()];
                from.read(&mut bytes)?;
                self.cache_to_device(range.start, &bytes)?;
                continue;
            }
            let Some(working) = &mut self.working else { return Ok(()) };
            from.read(working.cache.get_mut(range).unwrap_or_default())?;
        }
        let crc = from.crc.clone().finalize();
        from.read(&mut id)?;
        let is_known = |id: &u32| (*id as usize) < config.vocab_size;
        if u32::from_le_bytes(id) != crc || !ids.iter().all(is_known) || !at_end(&mut from.inner)? {
            return Err(StateError::Damaged.into());
        }
        // The logits are not saved: the last token is decoded again before another is drawn.
        self.unread = ids.pop();
        self.progress = Progress::at(ids.len());
        self.ids = ids;
        Ok(())
    }

    /// What a state of so many tokens begins with.
    fn header(&self, tokens: usize) -> Result<Header, SessionError> {
        let config = self.config();
        let n = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Ok(Header {
            kv_type: self.options.kv_type,
            fingerprint: fingerprint(self.view().checkpoint(), config)?,
            shape: [config.num_layers, config.num_kv_heads, config.head_dim].map(n),
            positions: n(self.position()),
            tokens: n(tokens),
        })
    }
}

/// Whether there is nothing more.
fn at_end(from: &mut impl Read) -> Result<bool, StateError> {
    let mut more = [0; 1];
    match from.read_exact(&mut more) {
        Ok(()) => Ok(false),
        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => Ok(true),
        Err(e) => Err(StateError::Io(e)),
    }
}
