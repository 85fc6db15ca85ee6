//! The direction of imports: no circle among files, none upward among rooms.
//!
//! A room is a folder or a file beside `lib.rs`. [`PACKAGES`] says which rooms are above which;
//! docs/ARCHITECTURE.md shows the same table. What only unit tests import does not count.

mod graph;
mod source;

use std::fs;
use std::path::{Path, PathBuf};

use crate::shell::{Result, root};
use graph::Graph;

/// A package and its rooms, from the top down. A room imports from the lines below its own.
struct Package {
    /// Where its modules begin.
    root: &'static str,
    /// Rooms of one line, separated by commas; `name: a, b` makes one room of several files. No
    /// lines: circles alone are looked for.
    lines: &'static [&'static str],
}

const PACKAGES: &[Package] = &[
    Package {
        root: "src/lib.rs",
        lines: &[
            "capi, train",
            "embedded, session",
            "chat, convert, llama, tokenizer",
            "mlp, selftest",
            "activation, imatrix, quant",
            "checkpoint, compute",
            "config",
            "error",
            "names, numeric",
        ],
    },
    Package { root: "src/bin/xielu/main.rs", lines: &[] },
    Package {
        root: "kernels-simd/src/lib.rs",
        lines: &[
            "face: activation, activation_q8_0, attention, backward, element, epilogue, kernels, matmul, matrix, pack",
            "arch",
            "generic",
            "built, output",
            "block, mapped_file, second_core, take_once",
        ],
    },
    Package { root: "kernels-cuda/src/lib.rs", lines: &[] },
];

pub fn run() -> Result {
    let read = |path: &Path| fs::read_to_string(root().join(path)).ok();
    let mut problems = Vec::new();
    for package in PACKAGES {
        let modules = source::modules(Path::new(package.root), &read)?;
        problems.extend(check(package, &graph::graph(&modules)));
    }
    let picture = root().join("docs/ARCHITECTURE.md");
    let document = fs::read_to_string(&picture).map_err(|error| error.to_string())?;
    if !document.contains(&text()?) {
        problems.push("docs/ARCHITECTURE.md shows other layers: `cargo xtask docs`".into());
    }
    if problems.is_empty() { Ok(()) } else { Err(format!("\n{}", problems.join("\n"))) }
}

/// The table, as the documentation shows it.
pub fn text() -> Result<String> {
    let mut text = String::from("```\n");
    for package in PACKAGES.iter().filter(|package| !package.lines.is_empty()) {
        text += &format!("{}\n", package.root.trim_end_matches("lib.rs"));
        for line in package.lines {
            text += &format!("  {line}\n");
        }
    }
    Ok(text + "```\n")
}

fn check(package: &Package, graph: &Graph) -> Vec<String> {
    let mut problems = Vec::new();
    for circle in graph::circles(graph) {
        problems.push("files import each other:".into());
        for (file, need, path) in graph::needs(graph) {
            if circle.contains(&file) && circle.contains(&need) {
                problems.push(format!("  {}: {path}", file.display()));
            }
        }
    }
    if package.lines.is_empty() {
        return problems;
    }
    let rooms = Rooms::of(package);
    for name in rooms.names().filter(|name| !graph.keys().any(|file| rooms.name(file) == **name)) {
        problems.push(format!("{}: there is no room {name}", package.root));
    }
    for (file, need, path) in graph::needs(graph) {
        if file == Path::new(package.root) || need == Path::new(package.root) {
            continue;
        }
        match (rooms.place(file), rooms.place(need)) {
            (Some(from), Some(to)) if from == to || from.0 < to.0 => {}
            (Some(_), Some(_)) => {
                problems.push(format!("{} imports upward: {path}", file.display()));
            }
            (None, _) => problems.push(format!("{} is in no room of the table", file.display())),
            (_, None) => problems.push(format!("{} is in no room of the table", need.display())),
        }
    }
    problems
}

/// Where each room of a package is: line and place in the line, equal for one room.
struct Rooms {
    folder: PathBuf,
    places: Vec<(&'static str, (usize, usize))>,
}

impl Rooms {
    fn of(package: &Package) -> Self {
        let mut places = Vec::new();
        for (line, rooms) in package.lines.iter().enumerate() {
            let (is_one, names) = match rooms.split_once(": ") {
                Some((_, names)) => (true, names),
                None => (false, *rooms),
            };
            let names = names.split(", ").enumerate();
            places.extend(names.map(|(i, name)| (name, (line, if is_one { 0 } else { i }))));
        }
        let folder = Path::new(package.root).parent().unwrap_or(Path::new("")).to_owned();
        Rooms { folder, places }
    }

    fn names(&self) -> impl Iterator<Item = &&'static str> {
        self.places.iter().map(|(name, _)| name)
    }

    /// The name of a file's room: of its folder or its own.
    fn name(&self, file: &Path) -> String {
        let inside = file.strip_prefix(&self.folder).unwrap_or(file);
        let first = inside.components().next().map(|first| first.as_os_str().to_string_lossy());
        first.unwrap_or_default().trim_end_matches(".rs").to_owned()
    }

    fn place(&self, file: &Path) -> Option<(usize, usize)> {
        let name = self.name(file);
        self.places.iter().find(|(known, _)| *known == name).map(|(_, place)| *place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: Package =
        Package { root: "lib.rs", lines: &["top", "face: left, right", "bottom, beside"] };

    /// What is wrong with a crate of these files.
    fn problems(files: &[(&str, &str)]) -> Vec<String> {
        let whole = [
            ("lib.rs", "mod top; mod left; mod right; mod bottom; mod beside;\npub use top::Top;"),
            ("top.rs", "pub struct Top(crate::left::Left);"),
            ("left.rs", "use crate::right::Right;\npub struct Left(Right);"),
            ("right.rs", "pub struct Right;"),
            ("bottom/mod.rs", "mod inner;\npub use inner::Inner;"),
            ("bottom/inner.rs", "pub struct Inner;"),
            ("beside.rs", ""),
        ];
        let read = |path: &Path| {
            let all = files.iter().chain(&whole);
            let found = all.into_iter().find(|(name, _)| Path::new(name) == path);
            found.map(|(_, text)| (*text).to_owned())
        };
        check(&TABLE, &graph::graph(&source::modules(Path::new("lib.rs"), &read).unwrap()))
    }

    #[test]
    fn downward_and_within_a_room_is_allowed() {
        assert_eq!(problems(&[]), [""; 0]);
        assert_eq!(problems(&[("top.rs", "use crate::bottom::Inner;")]), [""; 0]);
    }

    #[test]
    fn upward_imports_are_found_through_whatever_passes_them_on() {
        for text in [
            "use crate::top::Top;",
            "use crate::Top;",
            "use crate::{Top as Other};",
            "fn f() -> crate::Top { loop {} }",
            "fn f() { macro_call!(crate::top::Top); }",
            "use super::super::Top;",
        ] {
            let found = problems(&[("bottom/inner.rs", text)]);
            assert_eq!(found.len(), 1, "{text}: {found:?}");
            assert!(found[0].starts_with("bottom/inner.rs imports upward: "), "{found:?}");
        }
        let beside = problems(&[("beside.rs", "use crate::bottom::Inner;")]);
        assert_eq!(beside, ["beside.rs imports upward: crate::bottom::Inner"]);
    }

    #[test]
    fn tests_may_look_upward() {
        for text in [
            "#[cfg(test)] mod tests { use crate::Top; }",
            "#[cfg(all(test, feature = \"std\"))] use crate::Top;",
            "fn f() { #[cfg(test)] crate::top::count(); }",
            "impl X { #[cfg(test)] fn f() -> crate::Top { loop {} } }",
        ] {
            assert_eq!(problems(&[("bottom/inner.rs", text)]), [""; 0], "{text}");
        }
        for text in [
            "#[cfg(not(test))] use crate::Top;",
            "#[cfg(any(test, feature = \"std\"))] use crate::Top;",
            "fn f() { #[cfg(test)] g(); crate::top::count(); }",
        ] {
            assert_eq!(problems(&[("bottom/inner.rs", text)]).len(), 1, "{text}");
        }
    }

    #[test]
    fn circles_are_found_within_a_room_too() {
        let found = problems(&[("right.rs", "pub struct Right(Option<super::left::Left>);")]);
        assert_eq!(
            found,
            [
                "files import each other:",
                "  left.rs: crate::right::Right",
                "  right.rs: super::left::Left"
            ]
        );
        // A module that passes names of its child on does not need the child.
        let child = "use super::Other; pub struct Inner(Other);";
        let parent = "mod inner;\npub use inner::Inner;\npub struct Other;";
        let files = [("bottom/inner.rs", child), ("bottom/mod.rs", parent)];
        assert_eq!(problems(&files), [""; 0]);
        let uses = "mod inner;\npub use inner::Inner;\npub struct Other(Box<Inner>);";
        let files = [("bottom/inner.rs", child), ("bottom/mod.rs", uses)];
        assert_eq!(problems(&files).first().unwrap(), "files import each other:");
    }

    #[test]
    fn the_table_holds_every_room_and_no_other() {
        let more = "mod top; mod left; mod right; mod bottom; mod beside; mod more;";
        let files = [("lib.rs", more), ("more.rs", "use crate::bottom::Inner;")];
        assert_eq!(problems(&files), ["more.rs is in no room of the table"]);
        let less = [("lib.rs", "mod top; mod left; mod right; mod bottom;")];
        assert_eq!(problems(&less), ["lib.rs: there is no room beside"]);
    }
}
