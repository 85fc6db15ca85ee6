//! Licences and advisories, by cargo-deny; without it the licences alone, by `deny.toml`.

use std::fs;

use crate::metadata::{self, Package};
use crate::shell::{Result, root, sh};
use crate::tools::skip;

pub fn run() -> Result {
    if sh("cargo deny --version").read().is_err() {
        skip("cargo-deny", "advisories", "cargo-deny is not installed")?;
        return without_cargo_deny();
    }
    sh("cargo deny --all-features check licenses bans sources").run()?;
    match sh("cargo deny fetch db").read() {
        Ok(_) => sh("cargo deny --all-features check advisories").run(),
        Err(error) => {
            skip("cargo-deny", "advisories", error.lines().last().unwrap_or("no database"))
        }
    }
}

/// One of the alternatives of every dependency must be allowed.
fn without_cargo_deny() -> Result {
    let deny = fs::read_to_string(root().join("deny.toml")).map_err(|error| error.to_string())?;
    let others: Vec<_> = metadata::packages()?
        .iter()
        .filter(|package| package.published && !is_allowed(package, &allowed(&deny, &package.name)))
        .map(|package| format!("{} {}: {:?}", package.name, package.version, package.license))
        .collect();
    if !others.is_empty() {
        return Err(format!("licences outside deny.toml:\n{}", others.join("\n")));
    }
    println!("every dependency has an allowed licence");
    Ok(())
}

/// The licences that `deny.toml` allows the package: those of all and the exceptions for it.
fn allowed<'a>(deny: &'a str, package: &str) -> Vec<&'a str> {
    let lists = deny.lines().filter(|line| {
        let exception = line.contains(&format!("crate = \"{package}\""));
        line.starts_with("allow = [") || (line.trim_start().starts_with("{ allow = [") && exception)
    });
    let lists = lists.filter_map(|line| Some(line.split_once('[')?.1.split_once(']')?.0));
    lists.flat_map(|list| list.split('"').skip(1).step_by(2)).collect()
}

fn is_allowed(package: &Package, allowed: &[&str]) -> bool {
    let expression = package.license.as_deref().unwrap_or("none");
    let expression = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let mut words = expression.split_whitespace().peekable();
    any_of(&mut words, allowed) && words.next().is_none()
}

type Words<'a> = std::iter::Peekable<std::str::SplitWhitespace<'a>>;

/// `A OR B OR ...` of an SPDX expression.
fn any_of(words: &mut Words, allowed: &[&str]) -> bool {
    let mut any = all_of(words, allowed);
    while words.next_if_eq(&"OR").is_some() {
        any |= all_of(words, allowed);
    }
    any
}

/// `A AND B AND ...`, which binds more tightly.
fn all_of(words: &mut Words, allowed: &[&str]) -> bool {
    let mut all = one(words, allowed);
    while words.next_if_eq(&"AND").is_some() {
        all &= one(words, allowed);
    }
    all
}

/// A name, with its exception if it has one, or an expression in parentheses.
fn one(words: &mut Words, allowed: &[&str]) -> bool {
    if words.next_if_eq(&"(").is_some() {
        let inner = any_of(words, allowed);
        return words.next() == Some(")") && inner;
    }
    let found = words.next().is_some_and(|name| allowed.contains(&name));
    if words.next_if_eq(&"WITH").is_some() {
        words.next();
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn licensed(license: &str) -> Package {
        Package {
            name: "some".into(),
            version: "1.0.0".into(),
            rust_version: None,
            license: Some(license.into()),
            published: true,
        }
    }

    #[test]
    fn alternatives_and_combinations() {
        let allows =
            |license| is_allowed(&licensed(license), &["MIT", "Apache-2.0", "Unicode-3.0"]);
        assert!(allows("MIT") && allows("GPL-3.0 OR MIT") && allows("MIT/Unlicense"));
        assert!(allows("(MIT OR GPL-3.0) AND Unicode-3.0"));
        assert!(allows("GPL-3.0 OR Apache-2.0 WITH LLVM-exception OR BSD-2-Clause"));
        assert!(!allows("GPL-3.0") && !allows("MIT AND GPL-3.0") && !allows("(MIT"));
    }

    #[test]
    fn exceptions_are_for_one_package() {
        let deny = "allow = [\"MIT\", \"Zlib\"]\n  { allow = [\"ISC\"], crate = \"some\" },\n";
        assert_eq!(allowed(deny, "some"), ["MIT", "Zlib", "ISC"]);
        assert_eq!(allowed(deny, "other"), ["MIT", "Zlib"]);
    }
}
