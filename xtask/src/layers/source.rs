//! The modules of a crate as they are written: what each defines, imports and names.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use quote::ToTokens;
use syn::parse::Parser;
use syn::{Attribute, Item, UseTree};

use crate::shell::Result;

/// A path as it is written: `["super", "value", "Value"]`.
pub type Segments = Vec<String>;

/// One module: a file, or a part of one in braces.
#[derive(Debug, Default)]
pub struct Module {
    pub file: PathBuf,
    pub parent: Option<usize>,
    pub children: BTreeMap<String, usize>,
    /// What is defined here, but modules.
    pub items: BTreeSet<String>,
    /// Names that `use` brings, public or not, and where from.
    pub imports: BTreeMap<String, Segments>,
    /// Paths that end in `::*`.
    pub globs: Vec<Segments>,
    /// Names that a private `use` brings.
    pub private: Vec<Segments>,
    /// Paths and single names in the code.
    pub named: BTreeSet<Segments>,
}

/// The text of a file.
type Read<'r> = &'r dyn Fn(&Path) -> Option<String>;

/// All modules of the crate whose root is `root`, that first.
pub fn modules(root: &Path, read: Read<'_>) -> Result<Vec<Module>> {
    let mut all = vec![Module { file: root.to_owned(), ..Module::default() }];
    let folder = root.parent().unwrap_or(Path::new("")).to_owned();
    let text = read(root).ok_or_else(|| format!("{} cannot be read", root.display()))?;
    add_items(&mut all, 0, &folder, parse(root, &text)?, read)?;
    Ok(all)
}

fn parse(file: &Path, text: &str) -> Result<Vec<Item>> {
    let parsed = syn::parse_file(text).map_err(|e| format!("{}: {e}", file.display()))?;
    Ok(parsed.items)
}

/// Adds `items` to module `at`, whose child modules are in `folder`.
fn add_items(
    all: &mut Vec<Module>,
    at: usize,
    folder: &Path,
    items: Vec<Item>,
    read: Read<'_>,
) -> Result {
    for item in items {
        if attributes(&item).iter().any(is_of_tests) {
            continue;
        }
        match item {
            Item::Mod(item) => {
                let name = item.ident.to_string();
                let inner = folder.join(&name);
                let (file, items) = match item.content {
                    Some((_, items)) => (all[at].file.clone(), items),
                    None => {
                        let flat = folder.join(format!("{name}.rs"));
                        let nested = inner.join("mod.rs");
                        let found = [flat, nested].into_iter().find_map(|f| Some((read(&f)?, f)));
                        let (text, file) = found.ok_or_else(|| {
                            format!("{}: no file for mod {name}", all[at].file.display())
                        })?;
                        let items = parse(&file, &text)?;
                        (file, items)
                    }
                };
                // Two modules of one name, under opposite conditions, are taken as one.
                let child = all[at].children.get(&name).copied().unwrap_or_else(|| {
                    all.push(Module { file, parent: Some(at), ..Module::default() });
                    all.len() - 1
                });
                all[at].children.insert(name, child);
                add_items(all, child, &inner, items, read)?;
            }
            Item::Use(item) => {
                let private = matches!(item.vis, syn::Visibility::Inherited);
                add_use(&mut all[at], &mut Vec::new(), &item.tree, private);
            }
            item => {
                all[at].items.extend(defined(&item));
                add_named(&mut all[at].named, item.into_token_stream());
            }
        }
    }
    Ok(())
}

fn add_use(module: &mut Module, before: &mut Segments, tree: &UseTree, private: bool) {
    match tree {
        UseTree::Path(path) => {
            before.push(path.ident.to_string());
            add_use(module, before, &path.tree, private);
            before.pop();
        }
        UseTree::Group(group) => {
            group.items.iter().for_each(|tree| add_use(module, before, tree, private));
        }
        UseTree::Glob(_) => module.globs.push(before.clone()),
        UseTree::Name(name) => {
            add_import(module, before, &name.ident.to_string(), None, private);
        }
        UseTree::Rename(name) => {
            let alias = name.rename.to_string();
            add_import(module, before, &name.ident.to_string(), Some(alias), private);
        }
    }
}

fn add_import(
    module: &mut Module,
    before: &Segments,
    name: &str,
    alias: Option<String>,
    private: bool,
) {
    let mut path = before.clone();
    if name != "self" {
        path.push(name.to_owned());
    }
    let alias = alias.or_else(|| path.last().cloned()).unwrap_or_default();
    if private {
        module.private.push(path.clone());
    }
    module.imports.insert(alias, path);
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::ExternCrate(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::ForeignMod(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::TraitAlias(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Union(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

/// Whether the item is there in tests only: `cfg(test)`, alone or with more, not `cfg(not(test))`
/// or `cfg(any(test, ..))`.
fn is_of_tests(attribute: &Attribute) -> bool {
    let mut found = false;
    if attribute.path().is_ident("cfg") {
        // What does not parse is no condition of tests.
        let _ = attribute.parse_nested_meta(|meta| {
            if meta.path.is_ident("test") {
                found = true;
            } else if meta.path.is_ident("all") {
                meta.parse_nested_meta(|inner| {
                    found |= inner.path.is_ident("test");
                    skip(&inner)
                })?;
            } else {
                skip(&meta)?;
            }
            Ok(())
        });
    }
    found
}

/// Steps over the rest of a condition.
fn skip(meta: &syn::meta::ParseNestedMeta<'_>) -> syn::Result<()> {
    if meta.input.peek(syn::Token![=]) {
        meta.value()?.parse::<syn::Expr>()?;
    } else if meta.input.peek(syn::token::Paren) {
        let content;
        syn::parenthesized!(content in meta.input);
        content.parse::<TokenStream>()?;
    }
    Ok(())
}

/// The names that an item defines.
fn defined(item: &Item) -> Vec<String> {
    let ident = match item {
        Item::Const(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Static(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::Type(item) => &item.ident,
        Item::Union(item) => &item.ident,
        Item::Macro(item) => return item.ident.iter().map(ToString::to_string).collect(),
        _ => return Vec::new(),
    };
    vec![ident.to_string()]
}

/// Every path in `tokens`, those in macros included, but what is there in tests only.
fn add_named(named: &mut BTreeSet<Segments>, tokens: TokenStream) {
    let mut path = Segments::new();
    let mut colons = 0;
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Punct(punct) if punct.as_char() == ':' => {
                colons += 1;
                continue;
            }
            TokenTree::Ident(ident) => {
                if colons != 2 {
                    named.insert(std::mem::take(&mut path));
                }
                path.push(ident.to_string());
            }
            TokenTree::Punct(punct) if punct.as_char() == '#' => {
                named.insert(std::mem::take(&mut path));
                if tokens.peek().is_some_and(is_condition_of_tests) {
                    // The attribute and what it is of: up to a semicolon or a block.
                    tokens.by_ref().find(|token| match token {
                        TokenTree::Punct(punct) => punct.as_char() == ';',
                        TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
                        _ => false,
                    });
                }
            }
            other => {
                named.insert(std::mem::take(&mut path));
                if let TokenTree::Group(group) = other {
                    add_named(named, group.stream());
                }
            }
        }
        colons = 0;
    }
    named.insert(path);
    named.remove(&Vec::new());
}

/// Whether `[cfg(test)]` or the like.
fn is_condition_of_tests(group: &TokenTree) -> bool {
    let attribute = format!("#{group}").parse::<TokenStream>().ok();
    let parsed = attribute.and_then(|tokens| Attribute::parse_outer.parse2(tokens).ok());
    parsed.is_some_and(|attributes| attributes.iter().any(is_of_tests))
}
