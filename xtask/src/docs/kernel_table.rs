//! Which kernels each instruction set implements, and from which one it takes the others: read from
//! the tables of `kernels-simd`.

use std::fs;
use std::path::PathBuf;

use crate::shell::{Result, root};

const SOURCE: &str = "kernels-simd/src";

/// An instruction set, and the folders that its kernels are taken from.
struct Set {
    name: String,
    activation: String,
    backward: String,
    matmul: String,
    attention: Option<String>,
}

pub fn text() -> Result<String> {
    let sets = sets(&read("kernels.rs")?, &read("backward.rs")?)?;
    let kernels = fields(&read("generic/matmul.rs")?, "pub(crate) struct Table {")?;
    let kernels: Vec<_> = kernels.iter().filter_map(|field| field.strip_prefix("pub ")).collect();
    let mut rows = vec![row("kernel", sets.iter().map(|set| format!("`{}`", set.name)))];
    rows.push("|---".repeat(sets.len() + 1) + "|");
    rows.push(row("activations", sets.iter().map(|set| own_or(&set.activation, set))));
    rows.push(row("gradients", sets.iter().map(|set| own_or(&set.backward, set))));
    rows.push(row(
        "attention of many queries",
        sets.iter()
            .map(|set| set.attention.as_ref().map_or("none".into(), |folder| own_or(folder, set))),
    ));
    for kernel in kernels {
        let name = kernel.split(':').next().unwrap_or(kernel).trim();
        let cells = sets.iter().map(|set| matmul(name, set)).collect::<Result<Vec<_>>>()?;
        rows.push(row(&format!("`{name}`"), cells.into_iter()));
    }
    Ok(rows.join("\n") + "\n")
}

fn row(first: &str, cells: impl Iterator<Item = String>) -> String {
    format!("| {first} | {} |", cells.collect::<Vec<_>>().join(" | "))
}

fn own_or(folder: &str, set: &Set) -> String {
    if folder.replace('_', "-") == set.name { "own".into() } else { folder.replace('_', "-") }
}

/// Where a set has a kernel of the matrix table from.
fn matmul(kernel: &str, set: &Set) -> Result<String> {
    let mut folder = set.matmul.clone();
    loop {
        let source = fs::read_to_string(arch(&folder)?.join("matmul.rs"));
        let source = source.map_err(|error| format!("{folder}: {error}"))?;
        if source.contains("TABLE: Table = table::<") {
            // Everything, written once for vectors of 128 bits.
            return Ok(own_or(&folder, set));
        }
        let table = fields(&source, "TABLE: Table = Table {")?;
        let names = table.iter().map(|field| field.split(':').next().unwrap_or(field).trim());
        if names.into_iter().any(|name| name == kernel) {
            let own = own_or(&folder, set);
            return Ok(match for_few_tokens(&source, kernel) {
                Some(other) if own == "own" => {
                    format!("own; few tokens: {}", other.replace('_', "-"))
                }
                _ => own,
            });
        }
        let base = table.iter().find_map(|field| field.strip_prefix(".."));
        let base = base.and_then(|base| base.strip_suffix("::matmul::TABLE"));
        let base = base.ok_or_else(|| format!("{folder}: no {kernel}, and no table below"))?;
        folder = base.rsplit("::").next().unwrap_or(base).to_owned();
    }
}

/// The set whose kernel a kernel calls for few tokens: `dotprod::matmul::q8_0(g)` or the same of its
/// table, in a macro for several kernels `$name`, and `float` for all floats.
fn for_few_tokens(source: &str, kernel: &str) -> Option<String> {
    let in_macro = source.contains(&format!("kernel!({kernel},"));
    let is_float = ["f32", "f16", "bf16"].contains(&kernel);
    let other = [(in_macro, "$name"), (is_float, "float")];
    let names = other.iter().filter_map(|(so, name)| so.then_some(*name));
    let calls = |name| [format!("::matmul::TABLE.{name})(g)"), format!("::matmul::{name}(g)")];
    names.chain([kernel]).flat_map(calls).find_map(|call| {
        let (before, _) = source.split_once(&call)?;
        Some(before.rsplit(|c: char| !c.is_alphanumeric() && c != '_').next()?.to_owned())
    })
}

/// The instruction sets in the order of `Kernels`, scalar first.
fn sets(kernels: &str, backward: &str) -> Result<Vec<Set>> {
    let (kernels, backward) = (joined(kernels), joined(backward));
    let scalar = || "scalar".to_owned();
    let mut sets = vec![Set {
        name: scalar(),
        activation: scalar(),
        backward: scalar(),
        matmul: scalar(),
        attention: None,
    }];
    let kernels = kernels.replace(" => { (&", " => (&");
    for arm in kernels.split("Isa::").skip(1) {
        let Some((variant, tables)) = arm.split_once(" => (&") else { continue };
        let Some((activation, rest)) = tables.split_once("::activation::TABLE, &") else {
            continue;
        };
        let Some((matmul, rest)) = rest.split_once("::matmul::TABLE, &") else { continue };
        let Some((attention, _)) = rest.split_once("::attention::TABLE)") else { continue };
        sets.push(Set {
            name: kebab(variant),
            activation: activation.into(),
            backward: gradients(&backward, variant)
                .ok_or_else(|| format!("backward.rs: no table for {variant}"))?,
            matmul: matmul.into(),
            attention: Some(attention.into()),
        });
    }
    if sets.len() < 2 { Err("kernels.rs: no tables found".into()) } else { Ok(sets) }
}

/// The folder of the arm `Isa::A | Isa::B => &folder::backward::TABLE`.
fn gradients(backward: &str, variant: &str) -> Option<String> {
    let arms = backward.split("=> &");
    let pairs = arms.clone().zip(arms.skip(1));
    pairs.into_iter().find_map(|(pattern, table)| {
        let pattern = pattern.rsplit([',', ']', '{']).next()?;
        let has = pattern.split('|').any(|one| one.trim() == format!("Isa::{variant}"));
        has.then(|| table.split_once("::backward::TABLE").map(|(folder, _)| folder.to_owned()))?
    })
}

/// The text with single spaces.
fn joined(source: &str) -> String {
    source.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// `Avx512Vnni` as `avx512-vnni`.
fn kebab(variant: &str) -> String {
    let mut name = String::new();
    for (i, letter) in variant.char_indices() {
        if letter.is_uppercase() && i > 0 {
            name.push('-');
        }
        name.extend(letter.to_lowercase());
    }
    name
}

/// The parts between commas of the braces that `start` opens, without attributes and comments.
fn fields(source: &str, start: &str) -> Result<Vec<String>> {
    let without_comments: Vec<_> = source
        .lines()
        .map(str::trim)
        .filter(|line| !line.starts_with("//") && !line.starts_with("#["))
        .collect();
    let source = joined(&without_comments.join(" "));
    let (_, body) = source.split_once(start).ok_or_else(|| format!("no `{start}`"))?;
    let (mut fields, mut current) = (Vec::new(), String::new());
    let (mut depth, mut in_parameters) = (0, false);
    for letter in body.chars() {
        match letter {
            '}' if depth == 0 => break,
            '(' | '{' | '[' => depth += 1,
            ')' | '}' | ']' => depth -= 1,
            // Those of a closure.
            '|' if depth == 0 => in_parameters = !in_parameters,
            ',' if depth == 0 && !in_parameters && !open_generics(&current) => {
                fields.push(std::mem::take(&mut current).trim().to_owned());
                continue;
            }
            _ => {}
        }
        current.push(letter);
    }
    fields.push(current.trim().to_owned());
    fields.retain(|field| !field.is_empty());
    Ok(fields)
}

/// Whether more `<` than `>` were opened; the arrow of a function is neither.
fn open_generics(text: &str) -> bool {
    let text = text.replace("->", "").replace("=>", "");
    text.matches('<').count() > text.matches('>').count()
}

/// The folder of an instruction set.
fn arch(name: &str) -> Result<PathBuf> {
    let arch = root().join(SOURCE).join("arch");
    let inside = fs::read_dir(&arch).map_err(|error| error.to_string())?;
    let mut places: Vec<_> = inside.flatten().map(|entry| entry.path()).collect();
    places.push(arch);
    let found = places.into_iter().map(|place| place.join(name)).find(|folder| folder.is_dir());
    found.ok_or_else(|| format!("no folder {name} in {SOURCE}/arch"))
}

fn read(file: &str) -> Result<String> {
    let path = root().join(SOURCE).join(file);
    fs::read_to_string(path).map_err(|error| format!("{SOURCE}/{file}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_a_table() {
        let source = "const TABLE: Table = Table {\n #[cfg(x)]\n a,\n // no\n b: |x, y| f(x, y),\n \
                      c: g::<A, B>, ..other::matmul::TABLE };";
        let expected = ["a", "b: |x, y| f(x, y)", "c: g::<A, B>", "..other::matmul::TABLE"];
        assert_eq!(fields(source, "TABLE: Table = Table {").unwrap(), expected);
    }

    #[test]
    fn sets_and_their_folders() {
        let kernels = "match isa { Isa::Scalar => return x, #[cfg(a)] Isa::AvxVnni =>\n \
                       { (&avx2::activation::TABLE, &avx_vnni::matmul::TABLE, \
                       &avx2::attention::TABLE) } _ => none }";
        let backward = "match isa { #[cfg(a)] Isa::Avx2 | Isa::AvxVnni => &avx2::backward::TABLE, \
                        _ => &scalar::backward::TABLE }";
        let sets = sets(kernels, backward).unwrap();
        let set = &sets[1];
        assert_eq!(sets.len(), 2);
        assert_eq!(
            [&*set.name, &*set.activation, &*set.backward, &*set.matmul],
            ["avx-vnni", "avx2", "avx2", "avx_vnni"]
        );
        assert_eq!(set.attention.as_deref(), Some("avx2"));
    }

    #[test]
    fn another_set_for_few_tokens() {
        let source = "(few::matmul::TABLE.$name)(g) kernel!(a, P); unsafe { \
                      (crate::other::matmul::TABLE.b)(g) }";
        assert_eq!(for_few_tokens(source, "a").as_deref(), Some("few"));
        assert_eq!(for_few_tokens(source, "b").as_deref(), Some("other"));
        assert_eq!(for_few_tokens(source, "c"), None);
    }
}
