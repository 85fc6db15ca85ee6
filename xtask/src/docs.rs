//! The parts of the documentation that are made from the source: the tree of rooms, the table of
//! kernels, the README's firmware. `--check` compares them with what is committed.

mod kernel_table;
mod tree;

use std::fs;

use crate::layers;
use crate::shell::{Result, root};

/// A file, the name of a part between its markers, and what makes it.
type Part = (&'static str, &'static str, fn() -> Result<String>);

const PARTS: &[Part] = &[
    ("docs/ARCHITECTURE.md", "tree", tree::text),
    ("docs/ARCHITECTURE.md", "layers", layers::text),
    ("docs/KERNELS.md", "kernels", kernel_table::text),
    ("README.md", "firmware", firmware),
];

pub fn run(arguments: &[String]) -> Result {
    let check = match arguments {
        [] => false,
        [check] if check == "--check" => true,
        _ => return Err("the only argument is --check".into()),
    };
    for (file, name, text) in PARTS {
        let path = root().join(file);
        let told = |error| format!("{file}: {error}");
        let before = fs::read_to_string(&path).map_err(told)?;
        let after =
            replaced(&before, name, &text()?).map_err(|error| format!("{file}: {error}"))?;
        if before == after {
            continue;
        }
        if check {
            return Err(format!("{file}: not what `cargo xtask docs` makes of the source"));
        }
        fs::write(&path, after).map_err(told)?;
        println!("{file} written");
    }
    Ok(())
}

/// The lines between the marks of the firmware that answers prompts, which `firmware` builds and runs.
fn firmware() -> Result<String> {
    const SOURCE: &str = "examples/cortex-m/src/bin/prompt.rs";
    let source = fs::read_to_string(root().join(SOURCE)).map_err(|e| format!("{SOURCE}: {e}"))?;
    let marked = source.split_once("// README: begin\n").and_then(|(_, rest)| {
        let (lines, _) = rest.split_once("// README: end\n")?;
        Some(lines)
    });
    let lines = marked.ok_or(format!("{SOURCE} has no marks for the README"))?;
    // No doctest: it is built for a board.
    Ok(format!("```rust,ignore\n{lines}```\n"))
}

pub fn check() -> Result {
    run(&["--check".into()])
}

/// The document with `text` between the markers of the part.
fn replaced(document: &str, name: &str, text: &str) -> Result<String> {
    let begin = format!("<!-- begin {name}: cargo xtask docs -->\n");
    let end = format!("<!-- end {name} -->\n");
    let missing = || format!("no markers of the part {name}");
    let (before, rest) = document.split_once(&begin).ok_or_else(missing)?;
    let (_, after) = rest.split_once(&end).ok_or_else(missing)?;
    Ok(format!("{before}{begin}{text}{end}{after}"))
}

#[cfg(test)]
mod tests {
    use super::replaced;

    #[test]
    fn only_what_is_between_the_markers_changes() {
        let document = "a\n<!-- begin x: cargo xtask docs -->\nold\n<!-- end x -->\nb\n";
        let new = "a\n<!-- begin x: cargo xtask docs -->\nnew\n<!-- end x -->\nb\n";
        assert_eq!(replaced(document, "x", "new\n").as_deref(), Ok(new));
        assert!(replaced(document, "y", "new\n").is_err());
    }
}
