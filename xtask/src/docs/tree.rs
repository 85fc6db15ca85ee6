//! The tree of `docs/ARCHITECTURE.md`: every room and, of some, every file, with the first sentence
//! that its module says about itself.

use std::fs;

use crate::shell::{Result, root};

/// The roots, and what their own line says.
const ROOTS: &[(&str, &str)] = &[
    ("src", "package xielu"),
    ("kernels-simd/src", "package xielu-kernels-simd"),
    ("kernels-cuda/src", "package xielu-kernels-cuda"),
];
/// Rooms whose files are listed; of the others, the room alone.
const WITH_FILES: &[&str] = &[
    "src",
    "src/activation",
    "src/compute",
    "src/llama",
    "src/mlp",
    "src/numeric",
    "src/session",
    "kernels-simd/src",
    "kernels-simd/src/block",
    "kernels-simd/src/generic",
    "kernels-cuda/src",
];
/// Rooms whose rooms are not listed.
const CLOSED: &[&str] = &["src/bin/xielu", "src/checkpoint/hf"];
const COLUMN: usize = 30;
const WIDTH: usize = 100;

pub fn text() -> Result<String> {
    let mut lines = vec!["```".to_owned()];
    for (folder, package) in ROOTS {
        line(&mut lines, 0, &format!("{folder}/"), package);
        room(&mut lines, folder, folder, 1)?;
    }
    lines.push("```\n".into());
    Ok(lines.join("\n"))
}

/// The files and rooms of a folder, named from the room `top` on; a folder that is no module, as
/// `bin`, has no line.
fn room(lines: &mut Vec<String>, folder: &str, top: &str, depth: usize) -> Result {
    let (mut files, mut rooms) = (Vec::new(), Vec::new());
    let told = |error| format!("{folder}: {error}");
    for entry in fs::read_dir(root().join(folder)).map_err(told)? {
        let name = entry.map_err(told)?.file_name().to_string_lossy().into_owned();
        if root().join(folder).join(&name).is_dir() {
            rooms.push(name);
        } else if is_listed(&name) {
            files.push(name);
        }
    }
    files.sort();
    rooms.sort();
    if WITH_FILES.contains(&folder) {
        for name in files {
            let text = sentence_of(&format!("{folder}/{name}"))?;
            line(lines, depth, &name, &text);
        }
    }
    if CLOSED.contains(&folder) {
        return Ok(());
    }
    for name in rooms {
        let path = format!("{folder}/{name}");
        let face = ["mod.rs", "main.rs"].map(|file| format!("{path}/{file}"));
        if let Some(file) = face.iter().find(|file| root().join(file).exists()) {
            let name = path.strip_prefix(top).unwrap_or(&name).trim_start_matches('/');
            line(lines, depth, &format!("{name}/"), &sentence_of(file)?);
            room(lines, &path, &path, depth + 1)?;
        } else {
            room(lines, &path, top, depth)?;
        }
    }
    Ok(())
}

fn is_listed(name: &str) -> bool {
    let is_face = matches!(name, "mod.rs" | "main.rs");
    name.ends_with(".rs") && !is_face && name != "tests.rs" && !name.ends_with("_tests.rs")
}

/// A line of the tree, its text in a column of its own.
fn line(lines: &mut Vec<String>, depth: usize, name: &str, text: &str) {
    let name = format!("{}{name} ", "  ".repeat(depth));
    let mut current = format!("{name:COLUMN$}");
    for word in in_one_line(text).split_whitespace() {
        if current.chars().count() + word.chars().count() > WIDTH {
            lines.push(current.trim_end().into());
            current = " ".repeat(COLUMN);
        }
        current += word;
        current.push(' ');
    }
    lines.push(current.trim_end().into());
}

/// The text, or what fits a line of it and ends where a list or an explanation follows.
fn in_one_line(text: &str) -> &str {
    let room = WIDTH - COLUMN;
    if text.chars().count() <= room {
        return text;
    }
    // The name of the thing alone says nothing.
    let is_end =
        |end: &usize| (20..=room).contains(end) && matches!(text.as_bytes()[*end], b':' | b';');
    let mut ends = text.match_indices(' ').filter_map(|(space, _)| space.checked_sub(1));
    ends.rfind(is_end).map_or(text, |end| &text[..end])
}

/// What a module's documentation begins with.
fn sentence_of(file: &str) -> Result<String> {
    let source =
        fs::read_to_string(root().join(file)).map_err(|error| format!("{file}: {error}"))?;
    let sentence = first_sentence(&source);
    if sentence.is_empty() { Err(format!("{file} begins without `//!`")) } else { Ok(sentence) }
}

/// The first sentence of the first paragraph in `//!`, without its full stop and without markup.
fn first_sentence(source: &str) -> String {
    let lines = source.lines().skip_while(|line| !line.starts_with("//!"));
    let lines = lines.map_while(|line| line.strip_prefix("//!")).map(str::trim);
    let paragraph: Vec<_> = lines.take_while(|line| !line.is_empty()).collect();
    let paragraph = paragraph.join(" ");
    let sentence = paragraph.split_once(". ").map_or(paragraph.as_str(), |(first, _)| first);
    without_markup(sentence.strip_suffix('.').unwrap_or(sentence))
}

/// `[text](link)` and `[text]` become `text`, code loses its backticks; an index as `x[i]` stays.
fn without_markup(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('[') {
        let Some((inner, tail)) = after.split_once(']') else { break };
        out += before;
        if before.ends_with(|letter: char| letter.is_alphanumeric()) {
            out += &format!("[{inner}]");
            rest = tail;
            continue;
        }
        out += inner;
        let link = tail.strip_prefix('(').and_then(|tail| tail.split_once(')'));
        rest = link.map_or(tail, |(_, tail)| tail);
    }
    (out + rest).replace('`', "")
}

#[cfg(test)]
mod tests {
    use super::{first_sentence, without_markup};

    #[test]
    fn the_first_sentence_ends_at_its_full_stop() {
        let source = "// no\n//! One `a.rs` and\n//! more. Another.\n//!\n//! Third.\nmod x;\n";
        assert_eq!(first_sentence(source), "One a.rs and more");
        assert_eq!(first_sentence("//! Alone.\n"), "Alone");
        assert_eq!(first_sentence("mod x;\n"), "");
    }

    #[test]
    fn links_are_their_text() {
        assert_eq!(without_markup("of [xielu](https://docs.rs/xielu): x"), "of xielu: x");
        assert_eq!(without_markup("[`Kernels`]: `y[i] = x[i]`"), "Kernels: y[i] = x[i]");
    }
}
