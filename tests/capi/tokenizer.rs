//! Text to ids and back through C: what Rust gives, and every kind of bad input refused.

use std::ffi::{c_char, c_void};
use std::ptr::{null, null_mut};

use xielu::capi::*;
use xielu::checkpoint::gguf::{Gguf, GgufWriter};
use xielu::tokenizer::bpe::{Bpe, Special, work_len};

use crate::support::{Memory, model_bytes, off, open, zeroed};

const TEXT: &str = "The `Vec<T>` type is naïve → 日本語 🙂 e\u{301}</s>";

/// A tokenizer over a file, and its memory.
struct Made {
    tokenizer: Box<xielu_tokenizer>,
    memory: Memory,
}

fn made(gguf: &xielu_gguf) -> Made {
    let mut size = 0;
    // SAFETY: both are live.
    assert_eq!(unsafe { xielu_tokenizer_memory(gguf, &mut size) }, Status::Ok);
    let mut made = Made { tokenizer: Box::new(zeroed()), memory: Memory::new(size) };
    // SAFETY: all are live.
    let status =
        unsafe { xielu_tokenizer_init(gguf, made.memory.at(), size, &mut *made.tokenizer) };
    assert_eq!(status, Status::Ok);
    made
}

/// What a call to encode is given.
struct Call {
    tokenizer: *const xielu_tokenizer,
    text: *const c_char,
    text_size: usize,
    mode: u32,
    work: *mut c_void,
    work_size: usize,
    ids: *mut u32,
    capacity: usize,
    count: *mut usize,
}

impl Call {
    fn run(&self) -> Status {
        // SAFETY: what is live, and what is not, is the caller's to say; the library checks it.
        unsafe {
            xielu_tokenizer_encode(
                self.tokenizer,
                self.text,
                self.text_size,
                self.mode,
                self.work,
                self.work_size,
                self.ids,
                self.capacity,
                self.count,
            )
        }
    }
}

fn encode(made: &Made, text: &str, mode: u32) -> Vec<u32> {
    let mut work = Memory::new(xielu_tokenizer_work_size(text.len()));
    let (mut ids, mut count) = (vec![0; text.len() + 1], 0);
    let call = Call {
        tokenizer: &*made.tokenizer,
        text: text.as_ptr().cast(),
        text_size: text.len(),
        mode,
        work_size: work.size,
        work: work.at(),
        ids: ids.as_mut_ptr(),
        capacity: ids.len(),
        count: &mut count,
    };
    assert_eq!(call.run(), Status::Ok);
    ids.truncate(count);
    ids
}

#[test]
fn ids_and_texts_are_those_of_rust() {
    let bytes = model_bytes();
    let file = Gguf::parse(&bytes).unwrap();
    let mut memory = vec![0; Bpe::memory_len(&file).unwrap()];
    let bpe = Bpe::new(&file, &mut memory).unwrap();
    let gguf = open(&bytes);
    let made = made(&gguf);
    assert_eq!(made.memory.size, 4 * Bpe::memory_len(&file).unwrap());
    assert_eq!(xielu_tokenizer_work_size(10), 4 * work_len(10));
    assert_eq!(xielu_tokenizer_work_size(usize::MAX), usize::MAX);
    let mut work = vec![0; work_len(TEXT.len())];
    let mut ids = vec![0; 100];
    for (mode, n) in [
        (XIELU_TEXT_PROMPT, bpe.encode_prompt(TEXT, &mut work, &mut ids)),
        (XIELU_TEXT_PARSE, bpe.encode(TEXT, Special::Parse, &mut work, &mut ids)),
        (XIELU_TEXT_PLAIN, bpe.encode(TEXT, Special::Plain, &mut work, &mut ids)),
    ] {
        let n = n.unwrap();
        let from_c = encode(&made, TEXT, mode);
        assert_eq!(from_c.len(), n);
        if mode == XIELU_TEXT_PLAIN {
            assert_eq!(from_c, ids[..n]);
        } else {
            assert_eq!(from_c.last(), Some(&2));
        }
    }
    let mut answer = 7;
    for id in 0..1030 {
        // SAFETY: both are live.
        let status = unsafe { xielu_tokenizer_is_end(&*made.tokenizer, id, &mut answer) };
        assert_eq!((status, answer == 1), (Status::Ok, bpe.is_end(id)), "{id}");
    }
    // SAFETY: both are live.
    let status = unsafe { xielu_tokenizer_bos(&*made.tokenizer, &mut answer) };
    assert_eq!((status == Status::Ok).then_some(answer), bpe.bos());
}

/// All of a text, a token at a time, in room that is just enough.
#[test]
fn a_stream_gives_whole_characters_and_all_of_them() {
    let bytes = model_bytes();
    let gguf = open(&bytes);
    let made = made(&gguf);
    let mut stream = xielu_text_stream::default();
    let (mut text, mut held) = (Vec::new(), 0);
    let ids = encode(&made, TEXT, XIELU_TEXT_PARSE);
    for &id in &ids {
        let mut length = usize::MAX;
        let before = stream;
        // SAFETY: all are live; there is no room at first.
        let status = unsafe {
            xielu_tokenizer_text(&*made.tokenizer, &mut stream, id, null_mut(), 0, &mut length)
        };
        let mut piece = vec![0u8; length];
        if length > 0 {
            assert_eq!((status, stream), (Status::Short, before));
            let at = piece.as_mut_ptr().cast();
            // SAFETY: all are live, and as large as was said.
            let status = unsafe {
                xielu_tokenizer_text(&*made.tokenizer, &mut stream, id, at, length, &mut length)
            };
            assert_eq!(status, Status::Ok);
        } else {
            assert_eq!(status, Status::Ok);
        }
        held += usize::from(stream.held > 0);
        assert!(std::str::from_utf8(&piece).is_ok());
        text.extend(piece);
    }
    assert!(held > 0);
    assert_eq!(String::from_utf8(text).unwrap(), TEXT.strip_suffix("</s>").unwrap());

    // The end within a character.
    let id = ids.iter().copied().find(|&id| token(&made, id).unwrap() == [0xf0]).unwrap();
    let (mut length, mut end) = (9, [0u8; 3]);
    let at: *mut c_char = end.as_mut_ptr().cast();
    // SAFETY: all are live.
    unsafe {
        let t = &*made.tokenizer;
        assert_eq!(xielu_tokenizer_text(t, &mut stream, id, at, 3, &mut length), Status::Ok);
        assert_eq!((length, stream.held), (0, 1));
        assert_eq!(xielu_tokenizer_text_end(t, &mut stream, at, 2, &mut length), Status::Short);
        assert_eq!((length, stream.held), (3, 1));
        assert_eq!(xielu_tokenizer_text_end(t, &mut stream, at, 3, &mut length), Status::Ok);
        assert_eq!((length, stream.held, &end), (3, 0, b"\xef\xbf\xbd"));
        assert_eq!(xielu_tokenizer_text_end(t, &mut stream, at, 3, &mut length), Status::Ok);
        assert_eq!(length, 0);
    }
}

/// The bytes of a token, or why there are none.
fn token(made: &Made, id: u32) -> Result<Vec<u8>, Status> {
    let (mut count, mut room) = (0, vec![0u8; 64]);
    // SAFETY: all are live.
    let status = unsafe {
        let at = room.as_mut_ptr().cast();
        xielu_tokenizer_token(&*made.tokenizer, id, at, room.len(), &mut count)
    };
    room.truncate(count);
    if status == Status::Ok { Ok(room) } else { Err(status) }
}

#[test]
fn every_id_has_its_bytes() {
    let bytes = model_bytes();
    let gguf = open(&bytes);
    let made = made(&gguf);
    assert_eq!(token(&made, 2).unwrap(), b"</s>");
    assert_eq!(token(&made, 443).unwrap(), b"The");
    assert_eq!(token(&made, 372).unwrap(), b" `");
    assert!((0..1024).all(|id| token(&made, id).is_ok()));
    assert_eq!(token(&made, 1024), Err(Status::Token));
    let (mut count, mut room) = (0, [0u8; 4]);
    // SAFETY: all are live, with room for 2 bytes of 3.
    let status = unsafe {
        xielu_tokenizer_token(&*made.tokenizer, 443, room.as_mut_ptr().cast(), 2, &mut count)
    };
    assert_eq!((status, count, &room), (Status::Short, 3, b"Th\0\0"));
}

#[test]
fn bad_input_to_encode_is_refused() {
    let bytes = model_bytes();
    let gguf = open(&bytes);
    let mut made = made(&gguf);
    let mut work = Memory::new(xielu_tokenizer_work_size(TEXT.len()));
    let (mut ids, mut count) = (vec![7u32; TEXT.len() + 1], 7);
    let n = encode(&made, TEXT, XIELU_TEXT_PLAIN).len();
    let good = |made: &Made, work: &mut Memory, ids: &mut [u32], count: &mut usize| Call {
        tokenizer: &*made.tokenizer,
        text: TEXT.as_ptr().cast(),
        text_size: TEXT.len(),
        mode: XIELU_TEXT_PLAIN,
        work_size: work.size,
        work: work.at(),
        ids: ids.as_mut_ptr(),
        capacity: ids.len(),
        count,
    };
    let moved = *made.tokenizer;
    let latin: [u8; 3] = *b"\xe9t\xe9";
    type Change<'c> = &'c dyn Fn(&mut Call);
    let cases: [(Status, Change<'_>); 16] = [
        (Status::Null, &|c| c.tokenizer = null()),
        (Status::Misaligned, &|c| c.tokenizer = off(c.tokenizer)),
        (Status::Uninitialized, &|c| c.tokenizer = &moved),
        (Status::Null, &|c| c.text = null()),
        (Status::Short, &|c| c.text_size = usize::MAX),
        (Status::Text, &|c| (c.text, c.text_size) = (latin.as_ptr().cast(), 3)),
        (Status::Option, &|c| c.mode = 3),
        (Status::Null, &|c| c.work = null_mut()),
        (Status::Misaligned, &|c| c.work = off(c.work).cast()),
        (Status::Short, &|c| c.work_size = 27),
        (Status::Null, &|c| c.ids = null_mut()),
        (Status::Misaligned, &|c| c.ids = off(c.ids)),
        (Status::Short, &|c| c.capacity = usize::MAX),
        (Status::Null, &|c| c.count = null_mut()),
        (Status::Overlap, &|c| c.ids = c.work.cast()),
        (Status::Overlap, &|c| {
            c.work =
                c.text.cast_mut().cast::<u32>().wrapping_byte_add(c.text.align_offset(4)).cast()
        }),
    ];
    for (at, (expected, change)) in cases.iter().enumerate() {
        let mut call = good(&made, &mut work, &mut ids, &mut count);
        change(&mut call);
        assert_eq!(call.run(), *expected, "case {at}");
    }
    assert_eq!((count, ids[0]), (7, 7), "nothing was written");

    // What does not fit is counted, and what does is written.
    let mut call = good(&made, &mut work, &mut ids, &mut count);
    call.capacity = 3;
    assert_eq!(call.run(), Status::Short);
    assert_eq!((count, ids[3]), (n, 7));
    assert_eq!(ids[..3], encode(&made, TEXT, XIELU_TEXT_PLAIN)[..3]);
    let mut call = good(&made, &mut work, &mut ids, &mut count);
    (call.ids, call.capacity) = (null_mut(), 0);
    assert_eq!(call.run(), Status::Short);
    assert_eq!(count, n);
    // Empty text needs no memory.
    let mut call = good(&made, &mut work, &mut ids, &mut count);
    (call.text, call.text_size, call.work, call.work_size) = (null(), 0, null_mut(), 0);
    assert_eq!((call.run(), count), (Status::Ok, 0));
    // The memory of the tokenizer is not the caller's to write to any more.
    let mut call = good(&made, &mut work, &mut ids, &mut count);
    call.ids = made.memory.at().cast();
    assert_eq!(call.run(), Status::Overlap);
}

#[test]
fn bad_input_to_the_others_is_refused() {
    let bytes = model_bytes();
    let gguf = open(&bytes);
    let mut made = made(&gguf);
    let size = made.memory.size;
    let mut other = Memory::new(size);
    let mut place: Box<xielu_tokenizer> = Box::new(zeroed());
    let mut n = 0;
    // SAFETY: what is not NULL is live; the library checks the rest.
    unsafe {
        assert_eq!(xielu_tokenizer_memory(null(), &mut n), Status::Null);
        assert_eq!(xielu_tokenizer_memory(&*gguf, null_mut()), Status::Null);
        let blank = zeroed();
        assert_eq!(xielu_tokenizer_memory(&blank, &mut n), Status::Uninitialized);

        let at = other.at();
        assert_eq!(xielu_tokenizer_init(null(), at, size, &mut *place), Status::Null);
        assert_eq!(xielu_tokenizer_init(&*gguf, null_mut(), size, &mut *place), Status::Null);
        assert_eq!(xielu_tokenizer_init(&*gguf, at, size - 1, &mut *place), Status::Short);
        assert_eq!(
            xielu_tokenizer_init(&*gguf, off(at).cast(), size, &mut *place),
            Status::Misaligned
        );
        assert_eq!(xielu_tokenizer_init(&*gguf, at, size, null_mut()), Status::Null);
        assert_eq!(xielu_tokenizer_init(&*gguf, at, size, at.cast()), Status::Overlap);
        assert_eq!(xielu_tokenizer_is_end(&*place, 0, &mut 0), Status::Uninitialized);

        let t = &*made.tokenizer;
        assert_eq!(xielu_tokenizer_is_end(null(), 0, &mut 0), Status::Null);
        assert_eq!(xielu_tokenizer_is_end(t, 0, null_mut()), Status::Null);
        assert_eq!(xielu_tokenizer_bos(t, null_mut()), Status::Null);
        assert_eq!(xielu_tokenizer_bos(&*place, &mut 0), Status::Uninitialized);
        assert_eq!(xielu_tokenizer_token(t, 0, null_mut(), 0, null_mut()), Status::Null);
        assert_eq!(xielu_tokenizer_token(t, 0, null_mut(), 5, &mut n), Status::Null);
        assert_eq!(xielu_tokenizer_token(t, u32::MAX, null_mut(), 0, &mut n), Status::Token);
        let in_use: *mut c_char = made.memory.at().cast();
        assert_eq!(xielu_tokenizer_token(t, 0, in_use, 5, &mut n), Status::Overlap);

        let mut room = [0 as c_char; 16];
        let (at, mut stream) = (room.as_mut_ptr(), xielu_text_stream::default());
        assert_eq!(xielu_tokenizer_text(t, null_mut(), 0, at, 16, &mut n), Status::Null);
        assert_eq!(xielu_tokenizer_text(t, &mut stream, 1024, at, 16, &mut n), Status::Token);
        assert_eq!(xielu_tokenizer_text(t, &mut stream, 443, at, 16, null_mut()), Status::Null);
        assert_eq!(xielu_tokenizer_text(t, &mut stream, 443, in_use, 16, &mut n), Status::Overlap);
        for (held, bytes) in
            [(5, [0; 4]), (u32::MAX, [0; 4]), (1, *b"a\0\0\0"), (4, [0xf0, 0x9f, 0x99, 0x82])]
        {
            let mut stream = xielu_text_stream { held, bytes };
            assert_eq!(xielu_tokenizer_text(t, &mut stream, 443, at, 16, &mut n), Status::Option);
            assert_eq!(xielu_tokenizer_text_end(t, &mut stream, at, 16, &mut n), Status::Option);
        }
    }
}

/// Files without a vocabulary, or with one of another kind.
#[test]
fn files_that_have_no_such_vocabulary_are_refused() {
    let file = |write: &dyn Fn(&mut GgufWriter)| {
        let mut writer = GgufWriter::new();
        write(&mut writer);
        writer.begin(Vec::new()).unwrap().finish().unwrap()
    };
    for (expected, bytes) in [
        (Status::Missing, file(&|_| ())),
        (Status::Invalid, file(&|w| w.strings("tokenizer.ggml.tokens", ["a"]).unwrap())),
    ] {
        let gguf = open(&bytes);
        let (mut memory, mut tokenizer) = (Memory::new(10_000), Box::new(zeroed()));
        // SAFETY: all are live.
        let status = unsafe { xielu_tokenizer_init(&*gguf, memory.at(), 10_000, &mut *tokenizer) };
        assert_eq!(status, expected);
    }
}
