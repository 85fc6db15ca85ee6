//! Which file needs which: paths resolved to the files that define what they name.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::source::{Module, Segments};

/// From a file to those it needs, and by what path.
pub type Graph = BTreeMap<PathBuf, BTreeMap<PathBuf, String>>;

/// What a path comes to.
enum Target {
    Module(usize),
    /// Something that the module defines.
    Item(usize),
}

/// More imports of imports than any crate has: a circle among them.
const DEPTH: usize = 32;

/// The needs of every file of a crate. Names that a module only passes on (`pub use`) are no need
/// of it, but lead to the file that defines them.
pub fn graph(modules: &[Module]) -> Graph {
    let mut graph = Graph::new();
    for (at, module) in modules.iter().enumerate() {
        let needs = graph.entry(module.file.clone()).or_default();
        for path in module.private.iter().chain(&module.named) {
            let target = match resolve(modules, at, path, DEPTH) {
                Some(Target::Item(target)) => target,
                // A module that is named by a longer path, too, and by that needed.
                Some(Target::Module(_)) | None => continue,
            };
            let file = &modules[target].file;
            if *file != module.file {
                needs.entry(file.clone()).or_insert_with(|| path.join("::"));
            }
        }
    }
    graph
}

fn resolve(modules: &[Module], at: usize, path: &Segments, depth: usize) -> Option<Target> {
    let depth = depth.checked_sub(1)?;
    let (first, mut rest) = path.split_first()?;
    let mut place = match first.as_str() {
        "crate" => Target::Module(0),
        "self" => Target::Module(at),
        "super" => Target::Module(modules[at].parent?),
        name => lookup(modules, at, name, rest.is_empty(), depth)?,
    };
    while let (Target::Module(module), Some((name, after))) = (&place, rest.split_first()) {
        let module = *module;
        place = match name.as_str() {
            "super" => Target::Module(modules[module].parent?),
            "self" => Target::Module(module),
            // Defined by a macro, or of another crate.
            name => match lookup(modules, module, name, after.is_empty(), depth) {
                Some(found) => found,
                None if modules[module].imports.contains_key(name) => return None,
                None => Target::Item(module),
            },
        };
        rest = after;
    }
    Some(place)
}

/// What `name` is in `module`.
fn lookup(
    modules: &[Module],
    at: usize,
    name: &str,
    is_last: bool,
    depth: usize,
) -> Option<Target> {
    let depth = depth.checked_sub(1)?;
    let module = &modules[at];
    let child = module.children.get(name).map(|&child| Target::Module(child));
    let item = module.items.contains(name).then_some(Target::Item(at));
    let import = || {
        let path = module.imports.get(name)?;
        // `use name;` of another crate.
        let own = path.len() == 1 && path[0] == name;
        if own { None } else { resolve(modules, at, path, depth) }
    };
    let found = match is_last {
        true => item.or_else(import).or(child),
        false => child.or(item).or_else(import),
    };
    found.or_else(|| {
        let globs = module.globs.iter().filter_map(|path| resolve(modules, at, path, depth));
        globs
            .filter_map(|target| match target {
                Target::Module(glob) if glob != at => lookup(modules, glob, name, is_last, depth),
                _ => None,
            })
            .next()
    })
}

/// Every need: the file, what it needs, and the path by which it is named.
pub fn needs(graph: &Graph) -> impl Iterator<Item = (&Path, &Path, &str)> {
    graph.iter().flat_map(|(file, needs)| {
        let needs = needs.iter();
        needs.map(|(need, path)| (file.as_path(), need.as_path(), path.as_str()))
    })
}

/// Every set of files that need each other, each sorted.
pub fn circles(graph: &Graph) -> Vec<Vec<&Path>> {
    let mut circles = BTreeSet::new();
    for file in graph.keys() {
        let forward = reachable(graph, file);
        let circle: Vec<&Path> = forward
            .iter()
            .copied()
            .filter(|&f| reachable(graph, f).contains(file.as_path()))
            .collect();
        if circle.len() > 1 {
            circles.insert(circle);
        }
    }
    circles.into_iter().collect()
}

/// All that `start` needs, also by way of others; with itself only if it is in a circle.
fn reachable<'g>(graph: &'g Graph, start: &Path) -> BTreeSet<&'g Path> {
    let mut found = BTreeSet::new();
    let mut left: Vec<&Path> = vec![start];
    while let Some(file) = left.pop() {
        for need in graph.get(file).into_iter().flatten().map(|(need, _)| need.as_path()) {
            if found.insert(need) {
                left.push(need);
            }
        }
    }
    found
}
