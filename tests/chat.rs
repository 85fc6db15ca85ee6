//! Chat templates: the texts that transformers makes of the same conversations, templates from
//! every kind of file, and templates that are wrong or hostile.

use std::collections::BTreeMap;
use std::fs;

use serde::Deserialize;
use serde_json::json;
use xielu::chat::{self, ChatError, Conversation, Json, Template};
use xielu::checkpoint::gguf::{GgufWriter, Value};
use xielu::checkpoint::{self, ModelFile};
use xielu_testing::hf::changed;
use xielu_testing::in_repository;

/// What `tests/data/chat.py` records.
#[derive(Deserialize)]
struct Recorded {
    tokens: Json,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    messages: Vec<Json>,
    template: String,
    arguments: BTreeMap<String, Json>,
    text: Option<String>,
    #[serde(default)]
    error: bool,
    says: Option<String>,
}

/// The conversation that transformers was given.
fn conversation(case: &Case, tokens: &Json) -> Conversation {
    let mut all = Conversation { messages: case.messages.clone(), ..Conversation::new() };
    all.add_generation_prompt = false;
    for name in ["bos_token", "eos_token", "unk_token"] {
        all.variables.push((name.into(), tokens.text(name).unwrap().as_str().into()));
    }
    for (name, value) in &case.arguments {
        match name.as_str() {
            "tools" => all.tools = Some(value.clone()),
            "documents" => all.documents = Some(value.clone()),
            "add_generation_prompt" => all.add_generation_prompt = *value == Json::from(true),
            _ => all.variables.push((name.clone(), value.clone())),
        }
    }
    all
}

#[test]
fn conversations_are_rendered_as_transformers_renders_them() {
    let folder = in_repository("tests/data/chat");
    let text = fs::read_to_string(folder.join("conversations.json")).unwrap();
    let recorded: Recorded = serde_json::from_str(&text).unwrap();
    assert!(recorded.cases.len() >= 40, "{}", recorded.cases.len());
    let mut wrong = Vec::new();
    for case in &recorded.cases {
        let template = folder.join(&case.template).with_extension("jinja");
        let template = Template::new(&fs::read_to_string(template).unwrap()).unwrap();
        let rendered = template.render(&conversation(case, &recorded.tokens));
        match (&case.text, rendered) {
            (Some(expected), Ok(text)) if text == *expected => {}
            (Some(expected), Ok(text)) => {
                let pairs = expected.lines().zip(text.lines());
                let different = pairs.filter(|(expected, found)| expected != found);
                let different: String = different
                    .map(|(expected, found)| format!("  {expected:?}\n  {found:?}\n"))
                    .collect();
                wrong.push(format!("{}:\n{different}", case.name));
            }
            (None, Err(ChatError::Refused(message))) if case.says == Some(message.clone()) => {}
            (None, Err(_)) if case.error && case.says.is_none() => {}
            (expected, rendered) => {
                wrong
                    .push(format!("{}: {rendered:?}, not {expected:?} {:?}", case.name, case.says));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), recorded.cases.len(), wrong.join("\n"));
}

const TEMPLATE: &str =
    "{{ bos_token }}{% for m in messages %}[{{ m.content }}]{{ eos_token }}{% endfor %}";

/// A file without tensors, with these keys in its metadata.
fn gguf(keys: &[(&str, Value<'_>)]) -> ModelFile {
    let mut writer = GgufWriter::new();
    for (key, value) in keys {
        writer.pair(key, *value).unwrap();
    }
    writer.strings("tokenizer.ggml.tokens", ["<s>", "a", "</s>"]).unwrap();
    let mut bytes = Vec::new();
    writer.begin(&mut bytes).unwrap();
    checkpoint::from_bytes(bytes).unwrap()
}

fn hello() -> Conversation {
    let mut conversation = Conversation::new();
    conversation.push("user", "hello");
    conversation
}

#[test]
fn a_directory_brings_its_template_and_tokens_along() {
    let list = json!([
        {"name": "default", "template": TEMPLATE},
        {"name": "short", "template": "{{ messages | length }}{{ unk_token is defined }}"},
    ]);
    let settings =
        json!({"chat_template": list, "bos_token": "<b>", "eos_token": {"content": "<e>"}});
    let dir = changed(&[("tokenizer_config.json", settings)]);
    let file = checkpoint::open(dir.path()).unwrap();
    let view = file.view().unwrap();
    let render = |name| Template::of_model(&view, name).and_then(|t| t.render(&hello()));
    assert_eq!(render(None).unwrap(), "<b>[hello]<e>");
    assert_eq!(render(Some("short")).unwrap(), "1False");
    let error = render(Some("tool_use")).unwrap_err().to_string();
    assert_eq!(error, "the model has no chat template called \"tool_use\"; it has: default, short");
    // A variable of the caller's counts before the model's.
    let mut conversation = hello();
    conversation.variables.push(("bos_token".into(), "<x>".into()));
    let text = Template::of_model(&view, None).unwrap().render(&conversation).unwrap();
    assert_eq!(text, "<x>[hello]<e>");
    // A template from elsewhere gets the model's tokens.
    let own = Template::new("{{ eos_token }}").unwrap();
    assert_eq!(own.render(&hello()).unwrap(), "");
    assert_eq!(own.with_tokens_of(&view).unwrap().render(&hello()).unwrap(), "<e>");
}

#[test]
fn a_file_brings_its_template_and_tokens_along() {
    let file = gguf(&[
        ("tokenizer.chat_template", Value::Str(TEMPLATE)),
        ("tokenizer.chat_template.rag", Value::Str("{{ documents }}")),
        ("tokenizer.ggml.bos_token_id", Value::U32(0)),
        ("tokenizer.ggml.eos_token_id", Value::I32(2)),
        ("tokenizer.ggml.padding_token_id", Value::U32(77)),
    ]);
    let view = file.view().unwrap();
    let template = Template::of_model(&view, None).unwrap();
    assert_eq!(template.render(&hello()).unwrap(), "<s>[hello]</s>");
    assert_eq!(chat::templates(&view).unwrap().len(), 1);
    let bare = gguf(&[]);
    let error = Template::of_model(&bare.view().unwrap(), None).unwrap_err();
    assert_eq!(error.to_string(), "the model has no chat template");
}

#[test]
fn what_is_wrong_is_one_sentence() {
    for (text, expected) in [
        ("a\n{% if %}", "the chat template cannot be compiled in line 2: "),
        ("{% for m in messages %}", "the chat template cannot be compiled in line 1: "),
        (
            "{{ raise_exception('No \u{1b}\nlists') }}",
            "the chat template refuses the conversation: No \\u{1b} lists",
        ),
        (
            "{% macro m() %}{{ raise_exception(messages[0].role) }}{% endmacro %}{{ m() }}",
            "the chat template refuses the conversation: user",
        ),
        ("\n\n{{ messages.foo() }}", "the chat template fails in line 3: "),
        (
            "{{ missing | tojson }}",
            "the chat template fails in line 1: undefined is not JSON serializable",
        ),
        (
            "{{ 1 | tojson(indent=100) }}",
            "the chat template fails in line 1: tojson's indent is too wide",
        ),
        ("{{ 1 | tojson(5, 6, 7, 8, 9) }}", "the chat template fails in line 1: "),
        ("{{ 'x'.partition('') }}", "the chat template fails in line 1: the separator is empty"),
    ] {
        let error = Template::new(text).and_then(|t| t.render(&hello())).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}");
        assert!(!error.contains('\n'), "{error}");
    }
    let mut conversation = hello();
    conversation.messages.push("a text".into());
    let error = Template::new("").unwrap().render(&conversation).unwrap_err().to_string();
    assert_eq!(error, "a message of the conversation is no object");
    assert!("{".parse::<Json>().unwrap_err().to_string().starts_with("it is not JSON: "));
}

/// Templates that would run without end, or take all memory.
#[test]
fn hostile_templates_are_stopped() {
    for text in [
        "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
        "{% set ns = namespace(x='xxxxxxxxxxxxxxxx') %}{% for i in range(99) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
        "{% set ns = namespace(x=[1]) %}{% for i in range(99) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x | tojson }}",
        "{% set ns = namespace(x=[1]) %}{% for i in range(40) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x | tojson(indent=64) }}",
        "{{ 'x' * 999999999999 }}",
        "{{ '%999999999d' | format(1) }}",
        "{{ [messages] * 999999999 }}",
    ] {
        let error = Template::new(text).unwrap().render(&hello()).unwrap_err();
        assert!(matches!(error, ChatError::Endless | ChatError::Render { .. }), "{text}: {error}");
    }
    for text in ["{% include 'etc' %}", "{% import '/etc/passwd' as x %}", "{{ open('x') }}"] {
        assert!(Template::new(text).and_then(|t| t.render(&hello())).is_err(), "{text}");
    }
    let deep = format!("{{{{ {}1{} }}}}", "(".repeat(100_000), ")".repeat(100_000));
    assert!(matches!(Template::new(&deep), Err(ChatError::Syntax { .. })));
}

#[test]
fn the_time_is_here_and_now() {
    let render = |text| Template::new(text).unwrap().render(&hello());
    let year: u32 = render("{{ strftime_now('%Y') }}").unwrap().parse().unwrap();
    assert!((2024..3000).contains(&year), "{year}");
    let date = render("{{ strftime_now('%d %b %Y, %H:%M') }}").unwrap();
    assert!(date.len() == 18 && date.contains(", "), "{date}");
    assert!(render("{{ strftime_now('%') }}").is_err());
}
