//! `chat` and `generate --chat`. The bundled model is no chat model: what counts is what it is
//! given, what is kept of it and what is said.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Output, Stdio};

use serde_json::{Value, json};
use xielu_testing::hf::changed;

use crate::support::{MODEL, arg, fails, fails_of, succeeds, text, xielu};
#[cfg(target_os = "linux")]
use crate::terminal::Terminal;

const TEMPLATE: &str = "\
{% for m in messages %}
## {{ m.role }}
{{ m.content }}
{% endfor %}
{% if add_generation_prompt %}
## {{ name | default('assistant') }}{{ ' thinks' if enable_thinking }}
{% endif %}";

/// A directory with the template in `template.jinja`.
fn with_template() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("template.jinja"), TEMPLATE).unwrap();
    dir
}

/// A chat whose user types `input`.
fn chat(args: &[&str], input: &str) -> Output {
    let mut command = xielu(&[&["chat"], args].concat());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // A chat that fails at once reads nothing.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

/// What a chat on the bundled model, with the template of `dir`, prints.
fn talk(dir: &Path, more: &[&str], input: &str) -> (String, String) {
    let template = dir.join("template.jinja");
    let args = [&[MODEL, "--template", arg(&template), "-n", "12"], more].concat();
    let output = chat(&args, input);
    assert!(output.status.success(), "{}", text(&output.stderr));
    (text(&output.stdout), text(&output.stderr))
}

/// The messages in a saved conversation.
fn saved(path: &Path) -> Vec<(String, String)> {
    let json: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let text = |message: &Value, key: &str| message[key].as_str().unwrap().to_owned();
    let messages = json["messages"].as_array().unwrap().iter();
    messages.map(|m| (text(m, "role"), text(m, "content"))).collect()
}

#[test]
fn turns_are_answered_and_what_was_read_is_kept() {
    let dir = with_template();
    let file = dir.path().join("saved.json");
    let input = format!("What is a vector?\nAnd a slice?\n/save {}\n", file.display());
    let (out, err) = talk(dir.path(), &["--speed"], &input);
    let messages = saved(&file);
    let roles: Vec<_> = messages.iter().map(|(role, _)| role.as_str()).collect();
    assert_eq!(roles, ["user", "assistant", "user", "assistant"]);
    assert_eq!(out, format!("{}\n{}\n", messages[1].1, messages[3].1));
    // Each answer is what `generate` makes of the whole text.
    let prompts = [
        "## user\nWhat is a vector?\n## assistant\n".to_owned(),
        format!(
            "## user\nWhat is a vector?\n## assistant\n{}\n## user\nAnd a slice?\n## assistant\n",
            messages[1].1
        ),
    ];
    for (prompt, answer) in prompts.iter().zip([&messages[1].1, &messages[3].1]) {
        let whole = succeeds(&["generate", MODEL, "-p", prompt, "-n", "12"]);
        assert_eq!(whole, format!("{prompt}{answer}\n"));
    }
    // Nothing was read before the first turn; most of the first before the second.
    let kept: Vec<usize> = err
        .lines()
        .filter_map(|line| {
            line.split_once("tokens/s; ")?
                .1
                .split_once("tokens/s; ")?
                .1
                .split(' ')
                .next()?
                .parse()
                .ok()
        })
        .collect();
    assert!(kept.len() == 2 && kept[0] == 0 && kept[1] > 16, "{err}");
}

#[test]
fn one_turn_is_generated() {
    let dir = with_template();
    let template = dir.path().join("template.jinja");
    let run = |more: &[&str]| {
        let args = ["generate", MODEL, "-p", "Why?", "-n", "12", "--chat", "--template"];
        succeeds(&[&args[..], &[arg(&template)], more].concat())
    };
    let whole = |prompt: &str| {
        let out = succeeds(&["generate", MODEL, "-p", prompt, "-n", "12"]);
        out.strip_prefix(prompt).unwrap().to_owned()
    };
    assert_eq!(run(&[]), whole("## user\nWhy?\n## assistant\n"));
    assert_eq!(run(&["--think"]), whole("## user\nWhy?\n## assistant thinks\n"));
    let more = ["--system", "Be short.", "--set", "name=\"Bot\""];
    assert_eq!(run(&more), whole("## system\nBe short.\n## user\nWhy?\n## Bot\n"));
    assert_eq!(run(&[]), talk(dir.path(), &[], "Why?\n").0);
    let error = fails(&["generate", MODEL, "-p", "x", "--think"]);
    assert!(error.ends_with("need --chat"), "{error}");
}

#[test]
fn commands_change_the_conversation() {
    let dir = with_template();
    let (one, two) = (dir.path().join("one.json"), dir.path().join("two.json"));
    let input = format!(
        "/system Be kind.\n\"\"\"Two\nlines\"\"\"\n/save {}\n/reset\none\\\ntwo\n/system\n/save {}\n/exit\nnever\n",
        one.display(),
        two.display()
    );
    let (out, _) = talk(dir.path(), &["--system", "Be rude."], &input);
    let first = saved(&one);
    assert_eq!(first[0], ("system".into(), "Be kind.".into()));
    assert_eq!(first[1], ("user".into(), "Two\nlines".into()));
    let second = saved(&two);
    assert_eq!(second[0], ("user".into(), "one\ntwo".into()));
    assert_eq!(second.len(), 2);
    assert_eq!(out, format!("{}\n{}\n", first[2].1, second[1].1));
    // A conversation that is loaded goes on as the one that was saved.
    let three = dir.path().join("three.json");
    let again = format!("/load {}\nWhy?\n/save {}\n", one.display(), three.display());
    let (_, err) = talk(dir.path(), &[], &again);
    assert_eq!(err, "3 messages\n");
    let third = saved(&three);
    assert_eq!(third[..3], first[..]);
    assert_eq!((third.len(), third[3].1.as_str()), (5, "Why?"));
    let error = |input: &str| {
        let template = dir.path().join("template.jinja");
        let args = [MODEL, "--template", arg(&template)];
        fails_of(&args, chat(&args, input))
    };
    assert!(error("/frobnicate\n").contains("/help lists all"));
    assert!(error("/load nowhere.json\n").contains("nowhere.json"));
    let template = dir.path().join("template.jinja");
    assert!(error(&format!("/load {}\n", template.display())).contains("it is not JSON"));
    fs::write(&one, "{\"messages\": [1]}").unwrap();
    assert!(error(&format!("/load {}\n", one.display())).contains("no list of messages"));
}

#[test]
fn texts_stop_answers() {
    let dir = with_template();
    let whole = talk(dir.path(), &[], "Why?\n").0;
    let stop = whole.trim_end().get(4..9).unwrap();
    let (cut, _) = whole.split_once(stop).unwrap();
    let more = ["--stop", "\u{1f600}", "--stop", stop];
    assert_eq!(talk(dir.path(), &more, "Why?\n").0, format!("{cut}\n"));
    let template = dir.path().join("template.jinja");
    let args =
        ["generate", MODEL, "-p", "Why?", "-n", "12", "--chat", "--template", arg(&template)];
    assert_eq!(succeeds(&[&args[..], &more].concat()), format!("{cut}\n"));
    // In a prompt they are not looked for.
    let plain = succeeds(&["generate", MODEL, "-p", "a b c", "-n", "0", "--stop", "b"]);
    assert_eq!(plain, "a b c\n");
}

#[test]
fn a_full_context_is_said() {
    let dir = with_template();
    let template = dir.path().join("template.jinja");
    let args = [MODEL, "--template", arg(&template), "--context", "24"];
    let output = chat(&args, "Hi\n");
    assert!(text(&output.stderr).contains("note: the context of 24 positions is full"));
    let long = "one two three four five six seven eight nine ten eleven twelve\n";
    let error = fails_of(&args, chat(&args, long));
    assert!(error.starts_with("error: context full: the conversation has "), "{error}");
    assert!(error.contains("24 positions; /reset begins another, --context N gives more"));
}

#[test]
fn templates_are_found_or_asked_for() {
    for command in [&["chat", MODEL][..], &["generate", MODEL, "--chat", "-p", "x"]] {
        let error = fails(command);
        assert_eq!(error, "error: the model has no chat template; give one by --template FILE");
        let error = fails(&[command, &["--template", "nowhere"]].concat());
        assert!(error.contains("--template nowhere is neither a file nor the name"), "{error}");
    }
    let list = json!([
        {"name": "default", "template": TEMPLATE},
        {"name": "tool_use", "template": "{{ tools[0].name }}"},
        {"name": "no", "template": "{{ raise_exception('Not today') }}"},
        {"name": "bad", "template": "{% if %}"},
    ]);
    let dir = changed(&[("tokenizer_config.json", json!({"chat_template": list}))]);
    let output = dir.path().join("out.gguf");
    succeeds(&["quantize", arg(dir.path()), arg(&output), "--type", "q8_0"]);
    let tools = dir.path().join("tools.json");
    fs::write(&tools, "[{\"name\": \"The `Vec<T>` type is\"}]").unwrap();
    let prompt = ["-p", "x", "-n", "8", "--chat"];
    for model in [dir.path(), &output] {
        let run =
            |more: &[&str]| succeeds(&[&["generate", arg(model)], &prompt[..], more].concat());
        let plain = |prompt: &str| {
            let out = succeeds(&["generate", arg(model), "-p", prompt, "-n", "8"]);
            out.strip_prefix(prompt).unwrap().to_owned()
        };
        assert_eq!(run(&[]), plain("## user\nx\n## assistant\n"));
        let called = plain("The `Vec<T>` type is");
        assert_eq!(run(&["--tools", arg(&tools)]), called);
        assert_eq!(run(&["--tools", arg(&tools), "--template", "tool_use"]), called);
        let error =
            |name| fails(&[&["generate", arg(model)], &prompt[..], &["--template", name]].concat());
        assert_eq!(error("no"), "error: the chat template refuses the conversation: Not today");
        assert!(error("bad").contains("the chat template cannot be compiled in line 1"));
    }
    for value in ["x", "x=", "x=y"] {
        let output = xielu(&["chat", MODEL, "--set", value]).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
    }
}

#[test]
fn the_models_sampling_is_the_default_of_a_chat() {
    let card = json!({"do_sample": true, "temperature": 1.5, "top_k": 0});
    let template = json!({"chat_template": TEMPLATE});
    let dir = changed(&[("generation_config.json", card), ("tokenizer_config.json", template)]);
    let run = |more: &[&str]| {
        let output = chat(&[&[arg(dir.path()), "-n", "16"], more].concat(), "Why?\nWhy?\n");
        assert!(output.status.success(), "{}", text(&output.stderr));
        text(&output.stdout)
    };
    let by_hand = ["--temp", "1.5", "--top-k", "0", "--top-p", "1", "--seed", "3"];
    assert_eq!(run(&["--seed", "3"]), run(&by_hand));
    assert_ne!(run(&["--seed", "3"]), run(&["--temp", "0"]));
}

/// A real terminal: editing, an answer that Ctrl-C stops, Ctrl-D.
#[cfg(target_os = "linux")]
#[test]
fn ctrl_c_stops_an_answer_and_ctrl_d_ends() {
    // The editor's own prompt: an answer may contain ">" and no escapes. From here on keys are the
    // editor's.
    const PROMPT: &str = "> \r\x1b[2C";
    let dir = with_template();
    let (template, file) = (dir.path().join("template.jinja"), dir.path().join("saved.json"));
    let options = ["--context", "200000", "--seed", "1", "--temp", "1"];
    let program = xielu(&[&["chat", MODEL, "--template", arg(&template)], &options[..]].concat());
    let mut terminal = Terminal::start(&program, true);
    terminal.wait_for(PROMPT);
    terminal.type_keys("Whx\x7fy?\r");
    // The editor gives the terminal back, then something of the answer comes.
    terminal.wait_for("\x1b[?2004l");
    terminal.wait_until(|seen| Some(seen.find(char::is_alphanumeric)? + 1));
    terminal.type_keys("\x03");
    terminal.wait_for(PROMPT);
    terminal.type_keys(&format!("/save {}\r", file.display()));
    terminal.wait_for(PROMPT);
    terminal.type_keys("\x03");
    terminal.wait_for("Ctrl-D ends");
    terminal.wait_for(PROMPT);
    terminal.type_keys("\x04");
    let (shown, status) = terminal.end();
    assert!(status.success(), "{status}: {shown:?}");
    let messages = saved(&file);
    assert_eq!(messages.len(), 2);
    assert_eq!(messages[0].1, "Why?");
    assert!(!messages[1].1.is_empty());
}

#[test]
fn special_tokens_are_printed_on_request() {
    let run = |more: &[&str]| {
        let prompt = ["-p", "a<s>b", "-n", "0"];
        succeeds(&[&["generate", MODEL], &prompt[..], more].concat())
    };
    assert_eq!(run(&[]), "ab\n");
    assert_eq!(run(&["--special"]), "a<s>b\n");
}
