//! Texts that follow a grammar. The bundled model knows nothing of JSON: what it writes is right
//! because nothing else can be written.

use std::ops::ControlFlow;

use serde_json::Value;
use xielu::Session;
use xielu::kernels::Kernels;
use xielu::llama::{Sample as _, SamplerOptions, Stop};
use xielu::session::{GenerateOptions, Grammar, GrammarError, SessionError, SessionOptions};

const MODEL: &str = "models/tiny-Q8_0.gguf";
const SCHEMA: &str = r##"{
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 16},
        "kind": {"enum": ["struct", "trait", "Vec<T>"]},
        "sizes": {"type": "array", "items": {"$ref": "#/$defs/size"}, "minItems": 1, "maxItems": 3}
    },
    "required": ["name", "kind", "sizes"],
    "additionalProperties": false,
    "$defs": {"size": {"type": "integer", "minimum": -5, "maximum": 300}}
}"##;

fn session() -> Session {
    // The same bits wherever the tests run.
    let options = SessionOptions { kernels: Kernels::scalar(), ..SessionOptions::default() };
    Session::open_with(MODEL, &options).unwrap()
}

fn options(grammar: Grammar, seed: u64) -> GenerateOptions {
    let sampler = SamplerOptions { temperature: 1.2, top_k: 0, top_p: 1.0, seed };
    GenerateOptions {
        limit: Some(200),
        sampling: sampler.into(),
        grammar: Some(grammar),
        ..GenerateOptions::default()
    }
}

/// A text, and why it ended.
fn generate(session: &mut Session, grammar: &Grammar, seed: u64) -> (String, Option<Stop>) {
    let mut text = String::new();
    let options = options(grammar.clone(), seed);
    let generated = session.generate("The type is ", &options, |piece| {
        text += piece;
        ControlFlow::Continue(())
    });
    (text, generated.unwrap().stop)
}

/// What `grammar` allows first, and after each of `tokens`: every logit is 0 before, and the
/// grammar's wish to have another token is overruled by a bias.
fn allowed(session: &Session, grammar: Grammar, tokens: &[u32]) -> Vec<Vec<u32>> {
    let mut options = options(grammar, 0);
    options.sampling.sampler.temperature = 0.0;
    let mut generation = session.generation(&options).unwrap();
    let mut all = Vec::new();
    for &token in tokens {
        let mut logits = vec![0.0; session.config().output_vocab_size];
        logits[token as usize] = 1.0;
        assert_eq!(generation.sampler_mut().next(&mut logits).unwrap(), token);
        let ids = (0..).zip(&logits).filter(|(_, logit)| logit.is_finite());
        all.push(ids.map(|(id, _)| id).collect());
    }
    all
}

/// The tokens that are nothing but digits, by what decoding makes of them.
fn digits(session: &Session) -> Vec<u32> {
    let tokenizer = session.tokenizer().unwrap();
    let is_digits = |id: &u32| {
        let text = tokenizer.decode(&[*id]).unwrap();
        !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
    };
    (0..2048).filter(is_digits).collect()
}

#[test]
fn the_tokens_allowed_are_those_that_the_grammar_has() {
    let session = session();
    let digits = digits(&session);
    assert!(digits.len() >= 10, "{digits:?}");
    let end = session.tokenizer().unwrap().ends()[0];
    let with_end: Vec<u32> = [end].into_iter().chain(digits.iter().copied()).collect();
    for grammar in [Grammar::Regex("[0-9]+".into()), Grammar::Lark("start: /[0-9]+/".into())] {
        let found = allowed(&session, grammar, &[digits[0], digits[3], end]);
        assert_eq!(found, [digits.clone(), with_end.clone(), with_end.clone()]);
    }
    // A text that is whole can only end.
    let one = Grammar::Regex("[0-9]".into());
    let single = digits[0];
    assert_eq!(allowed(&session, one, &[single, end])[1], [end]);
}

#[test]
fn json_is_what_its_schema_says() {
    let mut session = session();
    let grammar = Grammar::JsonSchema(SCHEMA.into());
    assert_eq!(session.check_grammar(&grammar).unwrap(), [""; 0]);
    let mut texts = Vec::new();
    for seed in 0..24 {
        let (text, stop) = generate(&mut session, &grammar, seed);
        assert!(matches!(stop, Some(Stop::End(_))), "{text}");
        let value: Value = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{text}: {e}"));
        let object = value.as_object().unwrap();
        assert_eq!(object.keys().collect::<Vec<_>>(), ["name", "kind", "sizes"]);
        assert!(object["name"].as_str().unwrap().chars().count() <= 16, "{text}");
        assert!(["struct", "trait", "Vec<T>"].contains(&object["kind"].as_str().unwrap()));
        let sizes = object["sizes"].as_array().unwrap();
        assert!((1..=3).contains(&sizes.len()), "{text}");
        // To a schema 7.0 is an integer.
        let is_size = |size: &Value| {
            let size = size.as_f64().unwrap();
            (-5.0..=300.0).contains(&size) && size.fract() == 0.0
        };
        assert!(sizes.iter().all(is_size), "{text}");
        texts.push(text);
    }
    texts.sort();
    texts.dedup();
    assert!(texts.len() > 12, "{texts:?}");
    // A second answer begins anew.
    let (text, _) = generate(&mut session, &Grammar::JsonSchema(r#"{"const": 7}"#.into()), 1);
    assert_eq!(text.trim(), "7");
}

#[test]
fn nested_texts_close() {
    let mut session = session();
    let lark = "start: list\nlist: \"(\" (list | NAME)* \")\"\nNAME: /[a-z]{1,3};/\n";
    for seed in 0..8 {
        let (text, stop) = generate(&mut session, &Grammar::Lark(lark.into()), seed);
        let mut depth = 0;
        for (i, c) in text.char_indices() {
            match c {
                '(' => depth += 1,
                ')' => depth -= 1,
                'a'..='z' | ';' => {}
                other => panic!("{other:?} in {text}"),
            }
            assert!(depth > 0 || i + 1 == text.len(), "{text}");
        }
        let whole = matches!(stop, Some(Stop::End(_)));
        assert!(whole == (depth == 0), "{text} {stop:?}");
    }
}

#[test]
fn what_cannot_be_followed_is_told() {
    let mut session = session();
    let refused = |grammar| match session.check_grammar(&grammar) {
        Err(SessionError::Grammar(e)) => e,
        other => panic!("{other:?}"),
    };
    assert!(matches!(refused(Grammar::JsonSchema("{".into())), GrammarError::NotJson(_)));
    for grammar in [
        Grammar::JsonSchema(r#"{"type": 7}"#.into()),
        Grammar::JsonSchema(r#"{"type": "object", "minProperties": "x"}"#.into()),
        Grammar::JsonSchema(r##"{"$ref": "#/nowhere"}"##.into()),
        Grammar::Lark("start: missing".into()),
        Grammar::Lark(String::new()),
        Grammar::Regex("(a".into()),
    ] {
        let error = refused(grammar.clone());
        assert!(matches!(error, GrammarError::Refused(_)), "{grammar:?}: {error}");
        let text = error.to_string();
        assert!(text.starts_with("the grammar cannot be used: "), "{text}");
        assert_eq!(text.lines().count(), 1, "{text}");
    }
    // What the other options leave of a grammar may be nothing.
    let mut options = options(Grammar::Regex("[0-9]{2}".into()), 0);
    options.sampling.bias = digits(&session).iter().map(|&id| (id, f32::NEG_INFINITY)).collect();
    let result = session.generate("a", &options, |_| ControlFlow::Continue(()));
    let Err(SessionError::Grammar(GrammarError::NothingLeft)) = result else {
        panic!("{result:?}");
    };
}

/// A grammar is not asked what a value that is no number means.
#[test]
fn logits_that_are_no_numbers_are_errors() {
    let session = session();
    let options = options(Grammar::Regex("[0-9]+".into()), 0);
    let mut generation = session.generation(&options).unwrap();
    let mut logits = vec![0.0; session.config().output_vocab_size];
    logits[1000] = f32::NAN;
    assert!(generation.sampler_mut().next(&mut logits).is_err());
    assert_eq!(generation.sampler().check(), Ok(()));
}
