//! GGUF files over the caller's bytes.

use core::ffi::{CStr, c_char, c_void};

use super::Status;
use super::object::{self, Object, Place};
use super::pointer::{In, Out, Region, separate};
use super::status::call;
use super::{xielu_config, xielu_raw};
use crate::checkpoint::Checkpoint as _;
use crate::checkpoint::gguf::Gguf;

/// An open GGUF file: a view of the caller's bytes. Opaque; it stays where it was made. There is
/// nothing to close.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct xielu_gguf {
    _opaque: [usize; 32],
}

/// The checked view and the bytes under it.
pub(super) struct File {
    pub(super) gguf: Gguf<'static>,
    pub(super) bytes: Region,
}

impl Object for xielu_gguf {
    type Value = File;
    const KIND: usize = 0x7867_6766;
}

/// Checks the size bytes at data, a whole file at any alignment, and opens it. Nothing is copied:
/// the bytes stay where they are as long as anything made from the file is used.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xielu_gguf_open(
    data: *const c_void,
    size: usize,
    gguf: *mut xielu_gguf,
) -> Status {
    call(|| {
        let data = bytes(data, size)?;
        let place = Place::new(gguf)?;
        separate(&[place.region()], &[data.region()])?;
        // SAFETY: the module's contract: the file outlives what is made from it.
        let parsed = Gguf::parse(unsafe { data.get() }).map_err(crate::Error::from)?;
        // SAFETY: the module's contract, and the object is separate from the bytes.
        unsafe { place.fill(File { gguf: parsed, bytes: data.region() }) };
        Ok(())
    })
}

/// A file's bytes: unlike an array, never NULL.
pub(super) fn bytes(data: *const c_void, size: usize) -> Result<In<u8>, Status> {
    if data.is_null() { Err(Status::Null) } else { In::new(data.cast(), size) }
}

/// An open file, and room for one answer that lies neither in its bytes nor in its object.
///
/// # Safety
/// The module's contract.
unsafe fn answer<'a, T: Copy>(
    gguf: *const xielu_gguf,
    out: *mut T,
) -> Result<(&'a File, Out<T>), Status> {
    // SAFETY: the module's contract.
    let file = unsafe { object::get(gguf) }?;
    let out = Out::new(out, 1)?;
    separate(&[out.region()], &[file.bytes, object::region(gguf)?])?;
    Ok((file, out))
}

/// Reads the shape of the model.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xielu_gguf_config(
    gguf: *const xielu_gguf,
    config: *mut xielu_config,
) -> Status {
    call(|| {
        // SAFETY: the module's contract.
        let (file, out) = unsafe { answer(gguf, config) }?;
        let config = file.gguf.config()?;
        // SAFETY: the module's contract, and it is separate from the file.
        unsafe { out.write(config.into()) };
        Ok(())
    })
}

/// Reads the stored activation scalars of a layer, the first being 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xielu_gguf_raw(
    gguf: *const xielu_gguf,
    layer: usize,
    raw: *mut xielu_raw,
) -> Status {
    call(|| {
        // SAFETY: the module's contract.
        let (file, out) = unsafe { answer(gguf, raw) }?;
        let raw = file.gguf.raw_xielu(layer)?;
        // SAFETY: the module's contract, and it is separate from the file.
        unsafe { out.write(raw.into()) };
        Ok(())
    })
}

/// Reads the metadata value of a key, such as "tokenizer.ggml.eos_token_id", that is a u32.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xielu_gguf_u32(
    gguf: *const xielu_gguf,
    key: *const c_char,
    value: *mut u32,
) -> Status {
    call(|| {
        // SAFETY: the module's contract.
        let (file, out) = unsafe { answer(gguf, value) }?;
        In::new(key, 1)?;
        // SAFETY: not NULL; the module's contract says that it ends in a zero byte.
        let key = unsafe { CStr::from_ptr(key) }.to_str();
        let value = key.ok().and_then(|key| file.gguf.get_u32(key)).ok_or(Status::NotFound)?;
        // SAFETY: the module's contract, and it is separate from the file.
        unsafe { out.write(value) };
        Ok(())
    })
}

/// Finds the text of a token in the file's vocabulary: *length bytes of UTF-8 at *text, within the
/// file and without a zero byte at the end. Byte-level vocabularies write a space as U+0120 and the
/// end of a line as U+010A.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xielu_gguf_token(
    gguf: *const xielu_gguf,
    token: u32,
    text: *mut *const c_char,
    length: *mut usize,
) -> Status {
    call(|| {
        // SAFETY: the module's contract.
        let (file, text) = unsafe { answer(gguf, text) }?;
        // SAFETY: as above.
        let (_, length) = unsafe { answer(gguf, length) }?;
        separate(&[text.region(), length.region()], &[])?;
        let vocabulary = file.gguf.get_array("tokenizer.ggml.tokens");
        let mut tokens = vocabulary.and_then(|a| a.strs()).ok_or(Status::NotFound)?;
        let token = usize::try_from(token).map_err(|_| Status::Token)?;
        let found = tokens.nth(token).ok_or(Status::Token)?;
        // SAFETY: the module's contract, and both are separate from the file and each other.
        unsafe { text.write(found.as_ptr().cast()) };
        // SAFETY: as above.
        unsafe { length.write(found.len()) };
        Ok(())
    })
}
