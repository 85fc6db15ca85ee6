//! Text to token ids and back.

use core::ffi::{c_char, c_void};

use super::object::{self, Object, Place};
use super::pointer::{In, Out, Region, separate};
use super::status::{Status, call};
use super::xielu_gguf;
use crate::tokenizer::bpe::{self, Bpe, Special, Utf8Stream, work_len};

/// A prompt: special tokens in the text are recognised, and what the model has before and after
/// every text is there, once.
pub const XIELU_TEXT_PROMPT: u32 = 0;
/// Part of a prompt: special tokens in the text are recognised, and nothing is added.
pub const XIELU_TEXT_PARSE: u32 = 1;
/// Text that is only text: `</s>` is four characters.
pub const XIELU_TEXT_PLAIN: u32 = 2;

/// The vocabulary of a file, ready for use. Opaque; it stays where it was made.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct xielu_tokenizer {
    _opaque: [u64; 40],
}

/// The tokenizer, and the memory it uses: the file's bytes and its own.
pub(super) struct Indexed {
    bpe: Bpe<bpe::Indexed<'static, 'static>>,
    uses: [Region; 2],
}

impl Object for xielu_tokenizer {
    type Value = Indexed;
    const KIND: usize = 0x7874_6f6b;
}

/// Text as it comes, token by token. All zeros before the first; the library keeps the bytes of a
/// character that is not whole in it.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct xielu_text_stream {
    /// How many bytes are held.
    pub held: u32,
    /// The bytes.
    pub bytes: [u8; 4],
}

impl xielu_text_stream {
    fn checked(self) -> Result<Utf8Stream, Status> {
        let held = usize::try_from(self.held).ok().and_then(|n| self.bytes.get(..n));
        held.and_then(Utf8Stream::of_held).ok_or(Status::Option)
    }
}

impl From<Utf8Stream> for xielu_text_stream {
    fn from(stream: Utf8Stream) -> Self {
        let mut bytes = [0; 4];
        bytes.iter_mut().zip(stream.held()).for_each(|(to, from)| *to = *from);
        xielu_text_stream { held: stream.held().len() as u32, bytes }
    }
}

/// A tokenizer to use, and its addresses with those of what it uses.
///
/// # Safety
/// The module's contract.
unsafe fn indexed<'a>(
    p: *const xielu_tokenizer,
) -> Result<(&'a Bpe<bpe::Indexed<'a, 'a>>, [Region; 3]), Status> {
    // SAFETY: the module's contract.
    let indexed = unsafe { object::get(p) }?;
    let [bytes, memory] = indexed.uses;
    Ok((&indexed.bpe, [object::region(p)?, bytes, memory]))
}

/// Says how many bytes of memory the tokenizer of a file takes: about 10 for each token and 18 for
/// each merge of its vocabulary.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xielu_tokenizer_memory(
    gguf: *const xielu_gguf,
    memory_size: *mut usize,
) -> Status {
    call(|| {
        // SAFETY: the module's contract.
        let file = unsafe { object::get(gguf) }?;
        let out = Out::new(memory_size, 1)?;
        separate(&[out.region()], &[file.bytes, object::region(gguf)?])?;
        let len = Bpe::memory_len(&file.gguf)?;
        // SAFETY: the module's contract, and it is separate from the file.
        unsafe { out.write(len.saturating_mul(size_of::<u32>())) };
        Ok(())
    })
}

/// Indexes the vocabulary inside a file (byte-level BPE: tokenizer.ggml.model is "gpt2"). memory is
/// as large as xielu_tokenizer_memory says and aligned as a uint32_t; the tokenizer uses it and the
/// file's bytes as long as it lives. The gguf object is not needed afterwards.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xielu_tokenizer_init(
    gguf: *const xielu_gguf,
    memory: *mut c_void,
    memory_size: usize,
    tokenizer: *mut xielu_tokenizer,
) -> Status {
    call(|| {
        // SAFETY: the module's contract.
        let file = unsafe { object::get(gguf) }?;
        let place = Place::new(tokenizer)?;
        let memory = Out::<u32>::of_bytes(memory, memory_size)?;
        let reads = [file.bytes, object::region(gguf)?];
        separate(&[place.region(), memory.region()], &reads)?;
        let uses = [file.bytes, memory.region()];
        // SAFETY: the module's contract, and the memory is separate from all else.
        let bpe = Bpe::new(&file.gguf, unsafe { memory.get() })?;
        // SAFETY: the module's contract, and the object is separate from all else.
        unsafe { place.fill(Indexed { bpe, uses }) };
        Ok(())
    })
}

/// Bytes of work that xielu_tokenizer_encode takes for text whose longest word has so many bytes;
/// text_size itself is always enough. SIZE_MAX is more than this machine can address.
#[unsafe(no_mangle)]
pub extern "C" fn xielu_tokenizer_work_size(longest_word: usize) -> usize {
    work_len(longest_word).saturating_mul(size_of::<u32>())
}

/// Cuts text_size bytes of UTF-8 into tokens and writes their ids. *count is how many there are: if
/// that is more than capacity, the first are written and XIELU_STATUS_SHORT is returned; with
/// capacity 0 they are counted. No text has more ids than bytes, and two around it. mode is
/// one of XIELU_TEXT_PROMPT, XIELU_TEXT_PARSE and XIELU_TEXT_PLAIN; work is as large as
/// xielu_tokenizer_work_size says and aligned as a uint32_t.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xielu_tokenizer_encode(
    tokenizer: *const xielu_tokenizer,
    text: *const c_char,
    text_size: usize,
    mode: u32,
    work: *mut c_void,
    work_size: usize,
    ids: *mut u32,
    capacity: usize,
    count: *mut usize,
) -> Status {
    call(|| {
        // SAFETY: the module's contract.
        let (bpe, [object, bytes, memory]) = unsafe { indexed(tokenizer) }?;
        let text = In::new(text.cast::<u8>(), text_size)?;
        let work = Out::<u32>::of_bytes(work, work_size)?;
        let (ids, count) = (Out::new(ids, capacity)?, Out::new(count, 1)?);
        let writes = [work.region(), ids.region(), count.region()];
        separate(&writes, &[object, bytes, memory, text.region()])?;
        // SAFETY: the module's contract, and it is separate from what is written.
        let text = core::str::from_utf8(unsafe { text.get() }).map_err(|_| Status::Text)?;
        // SAFETY: the module's contract; the two are separate from each other and all else.
        let (work, room) = unsafe { (work.get(), ids.get()) };
        let n = match mode {
            XIELU_TEXT_PROMPT => bpe.encode_prompt(text, work, room),
            XIELU_TEXT_PARSE => bpe.encode(text, Special::Parse, work, room),
            XIELU_TEXT_PLAIN => bpe.encode(text, Special::Plain, work, room),
            _ => return Err(Status::Option),
        }?;
        // SAFETY: the module's contract, and it is separate from all else.
        unsafe { count.write(n) };
        if n > capacity { Err(Status::Short) } else { Ok(()) }
    })
}

/// Bytes written one after another to where there is room.
struct Bytes<'b> {
    room: &'b mut [u8],
    n: usize,
}

impl Bytes<'_> {
    fn put(&mut self, bytes: impl IntoIterator<Item = u8>) {
        for byte in bytes {
            if let Some(place) = self.room.get_mut(self.n) {
                *place = byte;
            }
            self.n += 1;
        }
    }
}

/// Writes the bytes of a token, any of the vocabulary: *count is how many there are. If that is
/// more than capacity, the first are written and XIELU_STATUS_SHORT is returned; with capacity 0
/// they are counted. A token need not be whole characters: xielu_tokenizer_text puts them together.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xielu_tokenizer_token(
    tokenizer: *const xielu_tokenizer,
    token: u32,
    bytes: *mut c_char,
    capacity: usize,
    count: *mut usize,
) -> Status {
    call(|| {
        // SAFETY: the module's contract.
        let (bpe, uses) = unsafe { indexed(tokenizer) }?;
        let (room, count) = (Out::new(bytes.cast::<u8>(), capacity)?, Out::new(count, 1)?);
        separate(&[room.region(), count.region()], &uses)?;
        let token = bpe.token(token)?;
        // SAFETY: the module's contract, and it is separate from all else.
        let mut out = Bytes { room: unsafe { room.get() }, n: 0 };
        out.put(token);
        let n = out.n;
        // SAFETY: as above.
        unsafe { count.write(n) };
        if n > capacity { Err(Status::Short) } else { Ok(()) }
    })
}

/// The body of the functions that go on with a stream: `step` gives it bytes.
///
/// # Safety
/// The module's contract.
unsafe fn stream(
    tokenizer: *const xielu_tokenizer,
    stream: *mut xielu_text_stream,
    text: *mut c_char,
    text_size: usize,
    length: *mut usize,
    step: impl FnOnce(
        &Bpe<bpe::Indexed<'_, '_>>,
        &mut Utf8Stream,
        &mut dyn FnMut(&str),
    ) -> Result<(), Status>,
) -> Status {
    call(|| {
        // SAFETY: the module's contract.
        let (bpe, uses) = unsafe { indexed(tokenizer) }?;
        let (room, length) = (Out::new(text.cast::<u8>(), text_size)?, Out::new(length, 1)?);
        let kept = Out::new(stream, 1)?;
        separate(&[room.region(), length.region(), kept.region()], &uses)?;
        // SAFETY: the module's contract.
        let mut state = unsafe { super::pointer::read(stream) }?.checked()?;
        // SAFETY: the module's contract, and it is separate from all else.
        let mut out = Bytes { room: unsafe { room.get() }, n: 0 };
        step(bpe, &mut state, &mut |s| out.put(s.bytes()))?;
        let n = out.n;
        // SAFETY: as above.
        unsafe { length.write(n) };
        if n > text_size {
            return Err(Status::Short);
        }
        // SAFETY: as above; the state that was read is a copy.
        unsafe { kept.write(state.into()) };
        Ok(())
    })
}

/// Writes the text that a token completes, whole characters of UTF-8 without a zero byte at the
/// end: *length is how many bytes. Special tokens have none. If that is more than text_size, the
/// first bytes are written, XIELU_STATUS_SHORT is returned and the stream stays as it was. Bytes
/// that are no UTF-8 become U+FFFD.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xielu_tokenizer_text(
    tokenizer: *const xielu_tokenizer,
    stream: *mut xielu_text_stream,
    token: u32,
    text: *mut c_char,
    text_size: usize,
    length: *mut usize,
) -> Status {
    // SAFETY: the module's contract.
    unsafe {
        self::stream(tokenizer, stream, text, text_size, length, |bpe, stream, write| {
            let bytes = bpe.token(token)?;
            if !bpe.is_control(token) {
                bytes.for_each(|byte| stream.push(byte, write));
            }
            Ok(())
        })
    }
}

/// The end of a stream: writes U+FFFD, 3 bytes, for a character that is not whole, and *length is 3
/// or 0. The stream can then begin anew.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xielu_tokenizer_text_end(
    tokenizer: *const xielu_tokenizer,
    stream: *mut xielu_text_stream,
    text: *mut c_char,
    text_size: usize,
    length: *mut usize,
) -> Status {
    // SAFETY: the module's contract.
    unsafe {
        self::stream(tokenizer, stream, text, text_size, length, |_, stream, write| {
            stream.finish(write);
            Ok(())
        })
    }
}

/// Says whether a token ends a text: *end is 1 or 0. A model has several such tokens.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xielu_tokenizer_is_end(
    tokenizer: *const xielu_tokenizer,
    token: u32,
    end: *mut u32,
) -> Status {
    call(|| {
        // SAFETY: the module's contract.
        let (bpe, uses) = unsafe { indexed(tokenizer) }?;
        let out = Out::new(end, 1)?;
        separate(&[out.region()], &uses)?;
        // SAFETY: the module's contract, and it is separate from all else.
        unsafe { out.write(bpe.is_end(token).into()) };
        Ok(())
    })
}

/// Finds the token that stands at the beginning of texts. XIELU_STATUS_NOT_FOUND if the vocabulary
/// has none. XIELU_TEXT_PROMPT adds it where the model was trained with it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xielu_tokenizer_bos(
    tokenizer: *const xielu_tokenizer,
    token: *mut u32,
) -> Status {
    call(|| {
        // SAFETY: the module's contract.
        let (bpe, uses) = unsafe { indexed(tokenizer) }?;
        let out = Out::new(token, 1)?;
        separate(&[out.region()], &uses)?;
        let bos = bpe.bos().ok_or(Status::NotFound)?;
        // SAFETY: the module's contract, and it is separate from all else.
        unsafe { out.write(bos) };
        Ok(())
    })
}
