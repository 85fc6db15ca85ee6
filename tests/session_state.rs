//! States in files: what was decoded goes on elsewhere, and what is not such a state is refused.

use std::ops::ControlFlow;

use xielu::Session;
use xielu::checkpoint::AtomicFile;
use xielu::kernels::Kernels;
use xielu::llama::KvType;
use xielu::session::{GenerateOptions, SessionError, SessionOptions, StateError};

const MODEL: &str = "models/tiny-Q8_0.gguf";
const PROMPT: &str = "The `Vec<T>` type is a list of";
/// Bytes before the tokens.
const HEADER: usize = 64;

fn session(kv_type: KvType, context: Option<usize>) -> Session {
    // The same bits wherever the tests run.
    let kernels = Kernels::scalar();
    let options = SessionOptions { kernels, kv_type, context, ..SessionOptions::default() };
    Session::open_with(MODEL, &options).unwrap()
}

fn go_on(_: usize) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

fn write(session: &mut Session, tokens: usize) -> Vec<u32> {
    let options = GenerateOptions { limit: Some(tokens), ..GenerateOptions::default() };
    let mut ids = Vec::new();
    let result = session.write(&options, |id| {
        ids.push(id);
        ControlFlow::Continue(())
    });
    result.unwrap();
    ids
}

fn state(session: &Session) -> Vec<u8> {
    let mut bytes = Vec::new();
    session.write_state(&mut bytes).unwrap();
    bytes
}

fn problem(session: &mut Session, bytes: &[u8]) -> StateError {
    match session.read_state(bytes) {
        Err(SessionError::State(e)) => {
            assert_eq!((session.position(), session.tokens()), (0, &[][..]));
            assert_eq!(e.to_string().lines().count(), 1);
            e
        }
        other => panic!("{other:?}"),
    }
}

/// A state of six tokens.
fn small() -> Vec<u8> {
    let mut session = session(KvType::F16, Some(8));
    session.read_whole(&[443, 372, 56, 539, 30, 54], go_on).unwrap();
    state(&session)
}

#[test]
fn a_loaded_state_goes_on_as_the_one_that_was_saved() {
    for kv_type in [KvType::F32, KvType::F16, KvType::BF16, KvType::Q8_0] {
        let mut saved = session(kv_type, Some(100));
        let prompt = saved.prompt_ids(PROMPT).unwrap();
        saved.read_whole(&prompt, go_on).unwrap();
        let after_prompt = state(&saved);
        let first = write(&mut saved, 12);
        // One token more than were decoded.
        let after_text = state(&saved);
        let second = write(&mut saved, 12);
        assert_eq!(after_text.len() - after_prompt.len(), {
            let row = saved.memory(1).kv_cache;
            11 * row + 12 * 4
        });

        // In a context of another length, and without one.
        for context in [Some(100), Some(64), None] {
            let mut loaded = session(kv_type, context);
            loaded.read_state(&after_prompt[..]).unwrap();
            assert_eq!(loaded.tokens(), &prompt[..prompt.len() - 1]);
            assert_eq!(write(&mut loaded, 12), first, "{kv_type:?} {context:?}");
            assert_eq!(write(&mut loaded, 12), second);
            loaded.read_state(&after_text[..]).unwrap();
            assert_eq!(write(&mut loaded, 12), second);
            // Loaded and saved it is the same state.
            loaded.read_state(&after_text[..]).unwrap();
            assert!(state(&loaded) == after_text);
        }
    }
}

#[test]
fn the_beginning_of_a_prompt_is_not_read_again() {
    let mut saved = session(KvType::F16, Some(64));
    let prompt = saved.prompt_ids(PROMPT).unwrap();
    saved.read_whole(&prompt, go_on).unwrap();
    let bytes = state(&saved);
    let longer = [&prompt[..], &[30, 54, 32]].concat();
    for (text, kept) in [
        (&prompt[..], prompt.len() - 1),
        (&longer, prompt.len() - 1),
        (&prompt[..5], 4),
        (&[prompt[0], 7, 8], 1),
        (&[7, 8], 0),
    ] {
        let mut loaded = session(KvType::F16, Some(64));
        loaded.read_state(&bytes[..]).unwrap();
        assert_eq!(loaded.read_whole(text, go_on).unwrap(), kept);
        let mut fresh = session(KvType::F16, Some(64));
        fresh.read_whole(text, go_on).unwrap();
        assert_eq!(write(&mut loaded, 10), write(&mut fresh, 10), "{text:?}");
    }
}

#[test]
fn a_state_in_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state");
    let mut saved = session(KvType::F16, Some(64));
    let prompt = saved.prompt_ids(PROMPT).unwrap();
    saved.read_whole(&prompt, go_on).unwrap();
    saved.save_state(&path).unwrap();
    let mut loaded = session(KvType::F16, None);
    loaded.load_state(&path).unwrap();
    assert_eq!(write(&mut loaded, 5), write(&mut saved, 5));
    // Nothing stays of what cannot be written whole.
    let mut file = AtomicFile::create(&path).unwrap();
    loaded.write_state(&mut file).unwrap();
    drop(file);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    session(KvType::F16, None).load_state(&path).unwrap();
    let error = loaded.load_state(dir.path().join("none")).unwrap_err();
    assert!(matches!(error, SessionError::State(StateError::Io(_))), "{error}");
}

#[test]
fn what_has_changed_is_refused() {
    let bytes = small();
    let mut session = session(KvType::F16, Some(8));
    for at in 0..bytes.len() {
        // All of the header, the tokens and the sum at the end; of the cache now and then.
        if (HEADER + 6 * 4..bytes.len() - 4).contains(&at) && at % 97 != 0 {
            continue;
        }
        for flip in [1, 0x80, 0xff] {
            let mut changed = bytes.clone();
            changed[at] ^= flip;
            let error = problem(&mut session, &changed);
            let expected =
                if at < 8 { "it is no saved state" } else { "the saved state is damaged" };
            assert_eq!(error.to_string(), expected, "{at}");
        }
    }
    let longer = [&bytes[..], &[0]].concat();
    assert!(matches!(problem(&mut session, &longer), StateError::Damaged));
    session.read_state(&bytes[..]).unwrap();
}

#[test]
fn what_is_cut_off_is_refused() {
    let bytes = small();
    let mut session = session(KvType::F16, Some(8));
    for len in 0..bytes.len() {
        match problem(&mut session, &bytes[..len]) {
            StateError::NotAState if len < 8 => {}
            StateError::Truncated if len >= 8 => {}
            other => panic!("{len}: {other}"),
        }
    }
}

/// A header that is whole, and says something else.
fn with_header(bytes: &[u8], change: impl FnOnce(&mut [u8])) -> Vec<u8> {
    let mut changed = bytes.to_vec();
    change(&mut changed[..HEADER - 4]);
    let crc = crc32(&changed[..HEADER - 4]);
    changed[HEADER - 4..HEADER].copy_from_slice(&crc.to_le_bytes());
    changed
}

/// CRC-32, a bit at a time (IEEE 802.3).
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |c, _| (c >> 1) ^ (0xedb8_8320 * (c & 1)))
    })
}

#[test]
fn headers_are_believed_in_nothing_that_does_not_fit() {
    let bytes = small();
    let mut session = session(KvType::F16, Some(8));
    assert_eq!(with_header(&bytes, |_| ()), bytes);
    for (at, value, says) in [
        (8, 2, "the saved state has format 2, which this version does not read"),
        (12, 0, "the saved state has keys and values of type f32, not f16"),
        (12, 3, "the saved state has keys and values of type q8_0, not f16"),
        (12, 4, "the saved state is damaged"),
        (24, 5, "the saved state was made by another model"),
        (28, 0, "the saved state was made by another model"),
        (32, u32::MAX, "the saved state was made by another model"),
        (36, 0, "the saved state is damaged"),
        (36, 4, "the saved state is damaged"),
        (36, 7, "the saved state is damaged"),
        (40, u32::MAX, "the saved state is damaged"),
    ] {
        let changed = with_header(&bytes, |header| {
            header[at..at + 4].copy_from_slice(&u32::to_le_bytes(value));
        });
        assert_eq!(problem(&mut session, &changed).to_string(), says, "{at} {value}");
    }
    let many = with_header(&bytes, |header| header[36..44].fill(0xff));
    let says = "the saved state has 4294967295 tokens, and the context 8 positions";
    assert_eq!(problem(&mut session, &many).to_string(), says);
}

#[test]
fn states_of_others_are_refused() {
    let bytes = small();
    let refused = |path: &str, kv_type, context| {
        let kernels = Kernels::scalar();
        let options = SessionOptions { kernels, kv_type, context, ..SessionOptions::default() };
        let mut other = Session::open_with(path, &options).unwrap();
        problem(&mut other, &bytes).to_string()
    };
    let other = "the saved state was made by another model";
    // Another shape, and the same in another type.
    assert_eq!(refused("tests/data/tiny-Q8_0.gguf", KvType::F16, Some(8)), other);
    let says = "the saved state has keys and values of type f16, not q8_0";
    assert_eq!(refused(MODEL, KvType::Q8_0, Some(8)), says);
    let says = "the saved state has 6 tokens, and the context 5 positions";
    assert_eq!(refused(MODEL, KvType::F16, Some(5)), says);

    // One weight of the same file.
    let mut model = std::fs::read(MODEL).unwrap();
    *model.last_mut().unwrap() ^= 1;
    let mut changed = Session::from_bytes(model).unwrap();
    assert_eq!(problem(&mut changed, &bytes).to_string(), other);

    let mut unread = session(KvType::F16, Some(8));
    let error = unread.write_state(Vec::new()).unwrap_err();
    assert_eq!(error.to_string(), "there are no tokens whose state is known");
    unread.with_decoder(|decoder| decoder.prompt(&[1, 2])).unwrap().unwrap();
    let error = unread.write_state(Vec::new()).unwrap_err();
    assert_eq!(error.to_string(), "there are no tokens whose state is known");
}
