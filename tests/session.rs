//! A session: text in and text out, continued, begun anew, from files and from bytes.

use std::ops::ControlFlow;
use std::sync::Arc;

use xielu::Session;
use xielu::checkpoint;
use xielu::kernels::Kernels;
use xielu::llama::{KvType, SamplerOptions, Stop};
use xielu::session::{
    GenerateOptions, PerplexityOptions, SessionError, SessionOptions, StopTexts, default_context,
};

const MODEL: &str = "models/tiny-Q8_0.gguf";
static BYTES: &[u8] = include_bytes!("../models/tiny-Q8_0.gguf");
const PROMPT: &str = "The `Vec<T>` type is";

fn limit(tokens: usize) -> GenerateOptions {
    GenerateOptions { limit: Some(tokens), ..GenerateOptions::default() }
}

fn options() -> SessionOptions {
    // The same bits wherever the tests run.
    SessionOptions { kernels: Kernels::scalar(), ..SessionOptions::default() }
}

fn generated(session: &mut Session, prompt: &str, options: &GenerateOptions) -> String {
    let mut text = String::new();
    let result = session.generate(prompt, options, |piece| {
        text += piece;
        ControlFlow::Continue(())
    });
    result.unwrap();
    text
}

#[test]
fn text_is_the_same_from_a_file_and_from_bytes() {
    let from_file = generated(&mut Session::open(MODEL).unwrap(), PROMPT, &limit(24));
    let from_bytes = generated(&mut Session::from_bytes(BYTES).unwrap(), PROMPT, &limit(24));
    assert!(!from_file.is_empty());
    assert_eq!(from_file, from_bytes);
    let owned = Session::from_bytes(BYTES.to_vec()).unwrap();
    assert_eq!(generated(&mut { owned }, PROMPT, &limit(24)), from_bytes);
}

/// Reading and writing in steps gives what one call gives.
#[test]
fn a_text_goes_on_where_it_was() {
    let mut session = Session::new(checkpoint::open(MODEL).unwrap(), &options()).unwrap();
    let ids = session.prompt_ids(PROMPT).unwrap();
    let go_on = |_| ControlFlow::Continue(());
    let write = |session: &mut Session, tokens| {
        let mut written = Vec::new();
        let result = session.write(&limit(tokens), |id| {
            written.push(id);
            ControlFlow::Continue(())
        });
        assert_eq!(result.unwrap().stop, Some(Stop::Limit));
        written
    };
    session.begin(ids.len(), &limit(24)).unwrap();
    session.read(&ids, go_on).unwrap();
    let whole = write(&mut session, 24);
    assert_eq!((whole.len(), session.position()), (24, ids.len() + 23));

    session.begin(ids.len(), &limit(24)).unwrap();
    assert_eq!(session.position(), 0);
    for id in &ids {
        session.read(&[*id], go_on).unwrap();
    }
    // In pieces, the second after tokens that are read again.
    let mut pieces = write(&mut session, 7);
    pieces.extend(write(&mut session, 5));
    session.read(&whole[12..20], go_on).unwrap();
    pieces.extend(&whole[12..20]);
    pieces.extend(write(&mut session, 4));
    assert_eq!(pieces, whole);

    // One token at a time.
    session.begin(ids.len(), &limit(24)).unwrap();
    session.read(&ids, go_on).unwrap();
    let mut generation = session.generation(&limit(24)).unwrap();
    let mut single = Vec::new();
    while let Some(id) = session.next_token(&mut generation).unwrap() {
        single.push(id);
    }
    assert_eq!(single, whole);
}

#[test]
fn a_caller_stops_and_a_full_context_does() {
    let mut session = Session::open_with(MODEL, &options()).unwrap();
    let mut pieces = 0;
    let result = session.generate(PROMPT, &GenerateOptions::default(), |_| {
        pieces += 1;
        if pieces == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    assert_eq!((pieces, result.unwrap().stop), (3, None));

    let small = SessionOptions { context: Some(16), ..options() };
    let mut session = Session::open_with(MODEL, &small).unwrap();
    let warm = SamplerOptions { temperature: 1.5, seed: 3, ..SamplerOptions::default() };
    let options = GenerateOptions { sampling: warm.into(), ..GenerateOptions::default() };
    let n = session.prompt_ids(PROMPT).unwrap().len();
    let result = session.generate(PROMPT, &options, |_| ControlFlow::Continue(())).unwrap();
    assert_eq!((result.stop, result.tokens), (Some(Stop::ContextFull), 16 - n + 1));
    let error = session.generate(PROMPT, &limit(16), |_| ControlFlow::Continue(())).unwrap_err();
    assert!(matches!(error, SessionError::ContextFull { context: 16, .. }), "{error}");
}

#[test]
fn memory_is_known_before_it_is_taken() {
    let mut session = Session::open_with(MODEL, &options()).unwrap();
    assert_eq!(session.context(), 0);
    let config = *session.config();
    let file = checkpoint::open(MODEL).unwrap();
    let view = file.view().unwrap();
    let o = options();
    let default = default_context(
        view.checkpoint(),
        &config,
        &o.decoder(),
        KvType::F16,
        config.context_length,
    );
    assert_eq!(session.default_context(config.context_length), default);
    session.reserve(33).unwrap();
    assert_eq!(session.context(), 33);
    assert_eq!(session.memory(33).kv_cache, 33 * config.num_layers * 2 * config.kv_size() * 2);
    let error = session.reserve(usize::MAX / 2).unwrap_err();
    assert!(matches!(error, SessionError::Memory { .. }), "{error}");
    assert_eq!(session.context(), 33);
}

/// Two sessions on one file, one of them packed and on threads of its own.
#[test]
fn sessions_share_a_file_and_move_between_threads() {
    let file = Arc::new(checkpoint::open(MODEL).unwrap());
    let mut one = Session::new(file.clone(), &options()).unwrap();
    #[cfg(feature = "rayon")]
    let o = SessionOptions { threads: Some(3), pack: true, ..options() };
    #[cfg(not(feature = "rayon"))]
    let o = SessionOptions { pack: true, ..options() };
    let mut two = Session::new(file, &o).unwrap();
    let there = std::thread::spawn(move || generated(&mut two, PROMPT, &limit(24)));
    assert_eq!(generated(&mut one, PROMPT, &limit(24)), there.join().unwrap());
}

/// The same number whatever went through the session before, and the command's protocol.
#[test]
fn perplexity_is_that_of_the_windows() {
    let text = std::fs::read_to_string("models/heldout.txt").unwrap();
    let mut session = Session::open_with(MODEL, &options()).unwrap();
    let windows = PerplexityOptions { windows: Some(3), ..PerplexityOptions::default() };
    let mut seen = Vec::new();
    let before = session.perplexity(&text, &windows, |so_far| {
        seen.push(so_far.predictions());
        ControlFlow::Continue(())
    });
    let before = before.unwrap();
    assert_eq!(seen, [127, 254, 381]);
    generated(&mut session, PROMPT, &limit(8));
    let stopped = session.perplexity(&text, &windows, |_| ControlFlow::Break(())).unwrap();
    assert_eq!(stopped.predictions(), 127);
    let again = session.perplexity(&text, &windows, |_| ControlFlow::Continue(())).unwrap();
    assert_eq!(again.loss().to_bits(), before.loss().to_bits());
    let error = session.perplexity("short", &windows, |_| ControlFlow::Continue(())).unwrap_err();
    assert!(matches!(error, SessionError::ShortText { window: 256, .. }), "{error}");
    let tiny = PerplexityOptions { window: 3, ..windows };
    let error = session.perplexity(&text, &tiny, |_| ControlFlow::Continue(())).unwrap_err();
    assert!(matches!(error, SessionError::Window(3)), "{error}");
}

/// The perplexity that `models/README.md` states in its last column.
#[test]
fn the_smaller_model_has_its_stated_perplexity() {
    let readme = std::fs::read_to_string("models/README.md").unwrap();
    let row = readme.lines().find(|line| line.starts_with("| perplexity on ")).unwrap();
    let stated = row.split('|').nth(3).and_then(|cell| cell.split_whitespace().next()).unwrap();
    let text = std::fs::read_to_string("models/heldout.txt").unwrap();
    let mut session = Session::open_with("models/micro-Q8_0.gguf", &options()).unwrap();
    let all = PerplexityOptions::default();
    let measured = session.perplexity(&text, &all, |_| ControlFlow::Continue(())).unwrap();
    let difference = measured.value() - stated.parse::<f64>().unwrap();
    assert!(difference.abs() < 0.005, "{} is stated as {stated}", measured.value());
}

#[test]
fn what_is_no_model_is_refused() {
    let message = |bytes: &'static [u8]| Session::from_bytes(bytes).unwrap_err().to_string();
    assert!(message(b"Once upon a time").starts_with("cannot use the model: "));
    assert!(message(&BYTES[..4000]).starts_with("cannot use the model: "));
    let error = Session::open("no/such/file.gguf").unwrap_err();
    assert!(error.to_string().contains("no/such/file.gguf"), "{error}");
    let mut session = Session::open(MODEL).unwrap();
    let nothing = session.write(&limit(1), |_| ControlFlow::Continue(()));
    assert!(matches!(nothing, Err(SessionError::EmptyPrompt)));
    let empty = session.generate("", &limit(1), |_| ControlFlow::Continue(()));
    assert!(matches!(empty, Err(SessionError::EmptyPrompt)));
}

/// What two texts have in common is read once, and nothing else differs.
#[test]
fn the_beginning_of_a_text_is_reused() {
    let go_on = |_| ControlFlow::Continue(());
    let written = |session: &mut Session| {
        let mut ids = Vec::new();
        let write = session.write(&limit(6), |id| {
            ids.push(id);
            ControlFlow::Continue(())
        });
        write.unwrap();
        ids
    };
    let fresh = |ids: &[u32]| {
        let mut session = Session::open_with(MODEL, &options()).unwrap();
        assert_eq!(session.read_whole(ids, go_on).unwrap(), 0);
        written(&mut session)
    };
    let mut session = Session::open_with(MODEL, &options()).unwrap();
    let first = session.prompt_ids(PROMPT).unwrap();
    assert_eq!(session.read_whole(&first, go_on).unwrap(), 0);
    let answer = written(&mut session);
    assert_eq!(answer, fresh(&first));
    // All but the answer's last token, which the decoder has not read.
    let longer = [&first[..], &answer, &[30, 54]].concat();
    assert_eq!(session.read_whole(&longer, go_on).unwrap(), first.len() + answer.len() - 1);
    assert_eq!(session.position(), longer.len());
    assert_eq!(written(&mut session), fresh(&longer));
    // The same text again: its last token alone is read.
    assert_eq!(session.read_whole(&longer, go_on).unwrap(), longer.len() - 1);
    assert_eq!(written(&mut session), fresh(&longer));
    let shorter = [&first[..4], &[30]].concat();
    assert_eq!(session.read_whole(&shorter, go_on).unwrap(), 4);
    assert_eq!(written(&mut session), fresh(&shorter));
    // Tokens taken one by one are known too.
    let mut generation = session.generation(&limit(4)).unwrap();
    session.read_whole(&first, go_on).unwrap();
    let mut one_by_one = Vec::new();
    while let Some(id) = session.next_token(&mut generation).unwrap() {
        one_by_one.push(id);
    }
    let next = [&first[..], &one_by_one, &[30]].concat();
    assert_eq!(session.read_whole(&next, go_on).unwrap(), next.len() - 2);
    assert_eq!(written(&mut session), fresh(&next));
    // Who has had the decoder may have decoded anything.
    session.with_decoder(|decoder| decoder.rewind(2)).unwrap();
    assert_eq!(session.read_whole(&next, go_on).unwrap(), 0);
    assert_eq!(written(&mut session), fresh(&next));
    // Stopped after its first batch of two.
    let small = SessionOptions { batch: 2, context: Some(12), ..options() };
    let mut session = Session::open_with(MODEL, &small).unwrap();
    session.read_whole(&first, |_| ControlFlow::Break(())).unwrap();
    assert_eq!(session.position(), 2);
    assert_eq!(session.read_whole(&first, go_on).unwrap(), 2);
    let full = [&first[..], &first].concat();
    let error = session.read_whole(&full, go_on).unwrap_err();
    assert!(matches!(error, SessionError::ContextFull { context: 12, .. }), "{error}");
    assert_eq!(session.position(), first.len());
    assert!(matches!(session.read_whole(&[], go_on), Err(SessionError::EmptyPrompt)));
    session.rewind(3);
    assert_eq!(session.position(), 3);
    assert_eq!(session.read_whole(&first, go_on).unwrap(), 3);
}

#[test]
fn a_text_ends_a_generation_wherever_tokens_are_cut() {
    let mut session = Session::open_with(MODEL, &options()).unwrap();
    let ids = session.prompt_ids(PROMPT).unwrap();
    let mut write = |stops: &[&str]| {
        session.read_whole(&ids, |_| ControlFlow::Continue(())).unwrap();
        let mut text = String::new();
        let stops = StopTexts::new(stops.iter().copied());
        let generated = session.write_text(&limit(24), stops, |piece| {
            text += piece;
            ControlFlow::Continue(())
        });
        (text, generated.unwrap())
    };
    let (whole, all) = write(&[]);
    assert_eq!((all.tokens, all.stop), (24, Some(Stop::Limit)));
    for (at, _) in whole.char_indices().skip(3) {
        let Some(stop) = whole.get(at..at + 5) else { continue };
        let (text, generated) = write(&["\u{1f600}", stop]);
        assert_eq!(text, whole[..whole.find(stop).unwrap()]);
        assert!(generated.stop.is_none() || generated.tokens == 24);
    }
}

#[test]
fn special_tokens_are_text_where_they_are_wanted() {
    let session = Session::open(MODEL).unwrap();
    let tokenizer = session.tokenizer().unwrap();
    let special = tokenizer.ends()[0];
    let ids = [&session.prompt_ids("ab").unwrap()[..], &[special]].concat();
    let text = |wanted| {
        let mut stream = tokenizer.stream().with_special(wanted);
        let pieces = ids.iter().map(|&id| stream.push(id).unwrap().unwrap_or_default());
        pieces.collect::<String>()
    };
    assert_eq!(text(false), "ab");
    assert_eq!(text(true), tokenizer.decode_with_special(&ids).unwrap());
    assert!(text(true).len() > 2 && text(true).starts_with("ab"), "{}", text(true));
}

/// What firmware answers is what a host does: prompts with words of every kind, one after the
/// other in one session.
#[cfg(feature = "heapless")]
#[test]
fn a_session_in_a_static_answers_alike() {
    use xielu::embedded::{self, Program, Static};
    use xielu::{Backend, Serial};

    struct Tiny;
    impl Program for Tiny {
        const MODEL: &'static [u8] = include_bytes!("../models/tiny-Q8_0.gguf");
    }
    static SESSION: Static<embedded::Session<Tiny, 4, 96, 140_000>> =
        Static::new(embedded::Session::new());

    let host = SessionOptions { context: Some(96), batch: 1, kv_type: KvType::F16, ..options() };
    let mut host = Session::new(checkpoint::open(MODEL).unwrap(), &host).unwrap();
    let backend = Backend::new(Kernels::scalar(), &Serial);
    let mut firmware = SESSION.take().unwrap().start_on(backend).unwrap();
    for prompt in [PROMPT, "# Safety\n\n", "naïve 日本 🙂 123", "</s>fn main() {"] {
        let mut answer = String::new();
        let count = firmware.generate(prompt, 40, |text| answer += text).unwrap();
        assert_eq!(answer, generated(&mut host, prompt, &limit(40)), "{prompt:?}");
        assert!(count > 0);
        assert_eq!(firmware.prompt(prompt, 0).unwrap(), host.prompt_ids(prompt).unwrap().len());
    }
    let sampling = SamplerOptions { temperature: 0.8, seed: 7, ..SamplerOptions::default() };
    firmware.set_sampling(sampling);
    let drawn: Vec<String> = (0..2)
        .map(|_| {
            let mut answer = String::new();
            firmware.generate(PROMPT, 30, |text| answer += text).unwrap();
            answer
        })
        .collect();
    assert_eq!(drawn[0], drawn[1], "the seed is that of every prompt");
}
