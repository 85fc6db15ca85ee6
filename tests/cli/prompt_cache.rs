//! `--prompt-cache`: prompts in files.

use std::fs;
use std::io::Write as _;
use std::process::Stdio;

use crate::support::{MODEL, arg, text, xielu};

const PROMPT: &str = "The `Vec<T>` type is a list of";

/// What is printed and said, if all goes well.
fn generate(more: &[&str]) -> (String, String) {
    let line = ["generate", MODEL, "-n", "12", "--ids", "--isa", "scalar"];
    let output = xielu(&[&line[..], more].concat()).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    (text(&output.stdout), text(&output.stderr))
}

#[test]
fn a_prompt_is_read_once() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("prompt.state");
    let cache = ["--prompt-cache", arg(&file)];
    let longer = format!("{PROMPT} values, and");
    let other = format!("{}n array", &PROMPT[..24]);
    let kept = |says: &str| {
        let note = says.lines().find_map(|line| line.strip_prefix("note: "));
        note.map_or(0, |note| note.split_once(' ').unwrap().0.parse::<usize>().unwrap())
    };
    let mut known = Vec::new();
    for prompt in [PROMPT, PROMPT, &longer, &other] {
        let (plain, _) = generate(&["-p", prompt]);
        let (cached, says) = generate(&[&["-p", prompt], &cache[..]].concat());
        assert_eq!(cached, plain, "{prompt}");
        known.push(kept(&says));
    }
    let [first, again, more, changed] = known[..] else { panic!("{known:?}") };
    assert_eq!((first, more), (0, again), "{known:?}");
    assert!(again > 8 && (1..again).contains(&changed), "{known:?}");

    // Left as it is, and with what was generated.
    let before = fs::read(&file).unwrap();
    let only_read = [&["-p", &longer, "--prompt-cache-ro"], &cache[..]].concat();
    generate(&only_read);
    assert_eq!(fs::read(&file).unwrap(), before);
    generate(&[&["-p", &other, "--prompt-cache-all"], &cache[..]].concat());
    assert!(fs::read(&file).unwrap().len() > before.len());
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn files_that_do_not_fit_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("prompt.state");
    let missing = dir.path().join("missing");
    let cache = ["--prompt-cache", arg(&file)];
    generate(&[&["-p", PROMPT], &cache[..]].concat());
    let whole = fs::read(&file).unwrap();
    let fails = |model: &str, more: &[&str]| {
        let line = [&["generate", model, "-p", PROMPT, "-n", "2"], more].concat();
        let output = xielu(&line).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        let problem = text(&output.stderr);
        assert_eq!(problem.lines().count(), 1, "{problem}");
        problem
    };
    let name = file.display();
    for (model, more, says) in [
        ("tests/data/tiny-Q4_0.gguf", &[][..], "the saved state was made by another model"),
        (MODEL, &["--kv-type", "f32"], "the saved state has keys and values of type f16, not f32"),
    ] {
        let problem = fails(model, &[&cache[..], more].concat());
        assert_eq!(problem, format!("error: cannot use {name}: {says}\n"));
        assert!(fs::read(&file).unwrap() == whole, "it stays");
    }
    fs::write(&file, &whole[..whole.len() / 2]).unwrap();
    assert!(fails(MODEL, &cache).contains("ends before it is whole"));
    fs::write(&file, "What is this?").unwrap();
    assert!(fails(MODEL, &cache).contains("it is no saved state"));
    let only_read = ["--prompt-cache", arg(&missing), "--prompt-cache-ro"];
    assert!(fails(MODEL, &only_read).contains("cannot use"));
    let nowhere = missing.join("file");
    assert!(fails(MODEL, &["--prompt-cache", arg(&nowhere)]).contains("cannot write"));
}

/// A chat keeps its first prompt, so that the next begins after the system message.
#[test]
fn a_chat_begins_after_its_system_message() {
    let dir = tempfile::tempdir().unwrap();
    let (template, file) = (dir.path().join("template.jinja"), dir.path().join("state"));
    let roles = "{% for m in messages %}## {{ m.role }}\n{{ m.content }}\n{% endfor %}## answer\n";
    fs::write(&template, roles).unwrap();
    let talk = |question: &str, more: &[&str]| {
        let line = ["chat", MODEL, "--template", arg(&template), "-n", "8", "--isa", "scalar"];
        let system = ["--system", "You know all of the standard library by heart.", "--speed"];
        let mut command = xielu(&[&line[..], &system, more].concat());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(question.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let said = text(&output.stderr);
        assert!(output.status.success(), "{said}");
        let kept = said.lines().find_map(|line| {
            line.strip_suffix(" tokens were read before")?.rsplit_once(' ')?.1.parse().ok()
        });
        (text(&output.stdout), kept.unwrap_or_else(|| panic!("{said}")))
    };
    let kept: fn((String, usize)) -> usize = |(_, kept)| kept;
    let cache = ["--prompt-cache", arg(&file)];
    assert_eq!(kept(talk("What is a vector?", &cache)), 0);
    let (answer, before) = talk("Where are slices?", &cache);
    assert!(before > 10, "{before}");
    assert_eq!(answer, talk("Where are slices?", &[]).0);
    // All of it: the same question goes on right before the answer.
    let all = [&cache[..], &["--prompt-cache-all"]].concat();
    talk("Where are slices?", &all);
    assert!(kept(talk("Where are slices?", &all)) > before);
}
