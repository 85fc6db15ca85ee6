//! Words for people, written into the caller's characters.

use core::ffi::{c_char, c_void};
use core::fmt::{self, Write};

use super::Status;
use super::gguf::bytes;
use super::pointer::{Out, separate};
use super::status::call;
use crate::Error;
use crate::checkpoint::gguf::Gguf;
use crate::kernels::Isa;
use crate::llama::Model;

/// Text that ends in a zero byte, cut between characters where the room ends.
struct Text<'t> {
    room: &'t mut [u8],
    written: usize,
}

impl<'t> Text<'t> {
    /// No text yet, in `room` of at least one byte.
    fn new(room: &'t mut [u8]) -> Self {
        let mut text = Text { room, written: 0 };
        text.end();
        text
    }

    fn end(&mut self) {
        if let Some(byte) = self.room.get_mut(self.written) {
            *byte = 0;
        }
    }
}

impl Write for Text<'_> {
    fn write_str(&mut self, s: &str) -> fmt::Result {
        let room = self.room.len().saturating_sub(self.written + 1);
        let cut = (0..=room.min(s.len())).rev().find(|&i| s.is_char_boundary(i)).unwrap_or(0);
        let to = self.room.iter_mut().skip(self.written);
        to.zip(s.as_bytes()).take(cut).for_each(|(to, from)| *to = *from);
        self.written += cut;
        self.end();
        if cut == s.len() { Ok(()) } else { Err(fmt::Error) }
    }
}

/// Room for text: at least the byte that ends it.
fn room(text: *mut c_char, text_size: usize) -> Result<Out<u8>, Status> {
    if text.is_null() {
        return Err(Status::Null);
    }
    if text_size == 0 { Err(Status::Short) } else { Out::new(text.cast(), text_size) }
}

/// Writes the name of the instruction set that the kernels use on this machine, such as "avx2".
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xielu_isa_name(text: *mut c_char, text_size: usize) -> Status {
    call(|| {
        let room = room(text, text_size)?;
        // SAFETY: the module's contract.
        let mut text = Text::new(unsafe { room.get() });
        text.write_str(Isa::detect().name()).map_err(|_| Status::Short)
    })
}

/// Checks a whole model and says in words what the first thing wrong with it is, and where: more
/// than a status tells. The text is empty if nothing is wrong, and is cut where the room ends; 160
/// bytes are enough. Returns what xielu_gguf_open and xielu_model_load would.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xielu_gguf_explain(
    data: *const c_void,
    size: usize,
    text: *mut c_char,
    text_size: usize,
) -> Status {
    call(|| {
        let (data, room) = (bytes(data, size)?, room(text, text_size)?);
        separate(&[room.region()], &[data.region()])?;
        // SAFETY: the module's contract, and the two are separate.
        let (data, room) = unsafe { (data.get(), room.get()) };
        let mut text = Text::new(room);
        check_model(data).map_err(|e| {
            // Text that does not fit is cut.
            let _ = write!(text, "{e}");
            e.into()
        })
    })
}

/// What loading the model checks, without memory for it.
fn check_model(data: &[u8]) -> Result<(), Error> {
    Model::check(&Gguf::parse(data)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_between_characters() {
        let mut room = [0xffu8; 6];
        let mut text = Text::new(&mut room);
        assert!(text.write_str("ab").is_ok());
        assert!(text.write_str("c€").is_err());
        assert_eq!(room, *b"abc\0\xff\xff");
        let mut one = [0xff];
        assert!(write!(Text::new(&mut one), "x").is_err());
        assert_eq!(one, [0]);
    }
}
