//! What transformers' Jinja has and the engine has not, in words of the engine.
//!
//! - `{% generation %}` blocks, which mark what a model is trained to write, are their content when
//!   a conversation is rendered for a model, in a scope of its own: `{% with %}` blocks.
//! - In Python `schema["items"]` is the object's method where it has no such key, and that counts
//!   as true: templates that describe tools come upon it with lists of anything. Such subscripts
//!   become calls of [`ITEM`], which knows.

use std::string::String;

/// The method that subscripts become whose key is also the name of a method.
pub(super) const ITEM: &str = "__item__";

/// The methods of Python's objects.
pub(super) const METHODS: [&str; 11] = [
    "clear",
    "copy",
    "fromkeys",
    "get",
    "items",
    "keys",
    "pop",
    "popitem",
    "setdefault",
    "update",
    "values",
];

/// The template in words of the engine. Line numbers stay, and so does white space and its markers.
pub(super) fn rewritten(template: &str) -> String {
    let mut out = String::with_capacity(template.len());
    let mut rest = template;
    while let Some(start) = rest.find("{").filter(|at| at + 1 < rest.len()) {
        let (before, tag) = rest.split_at(start);
        out += before;
        let end = if tag.starts_with("{#") {
            tag.find("#}").map_or(tag.len(), |at| at + 2)
        } else if let Some((open, word, after)) = block(tag, ["generation", "endgeneration"]) {
            out += open;
            out += if word == "generation" { "with" } else { "endwith" };
            rest = after;
            continue;
        } else if block(tag, ["raw", "raw"]).is_some() {
            end_of_raw(tag)
        } else if tag.starts_with("{%") || tag.starts_with("{{") {
            let end = if tag.starts_with("{%") { "%}" } else { "}}" };
            rest = expressions(tag, end, &mut out);
            continue;
        } else {
            1
        };
        out += &tag[..end];
        rest = &tag[end..];
    }
    out + rest
}

/// If `tag` is `{% word %}` with one of two words: what stands before the word, the word, and what
/// follows it.
fn block<'t>(tag: &'t str, words: [&'static str; 2]) -> Option<(&'t str, &'static str, &'t str)> {
    let marks = |c: char| c == '-' || c == '+';
    let inside = tag.strip_prefix("{%")?;
    let inside = inside.strip_prefix(marks).unwrap_or(inside).trim_start();
    let word = words.into_iter().find(|word| inside.starts_with(word))?;
    let after = &inside[word.len()..];
    let end = after.trim_start();
    end.strip_prefix(marks).unwrap_or(end).strip_prefix("%}")?;
    Some((&tag[..tag.len() - inside.len()], word, after))
}

/// Where the last tag of a block begins that `tag` opens and in which nothing is a tag.
fn end_of_raw(tag: &str) -> usize {
    let starts = tag.match_indices("{%").skip(1).map(|(at, _)| at);
    let end = starts.into_iter().find(|&at| block(&tag[at..], ["endraw", "endraw"]).is_some());
    // The last tag is read as any other.
    end.unwrap_or(tag.len())
}

/// Copies `tag` up to its `end`, with subscripts rewritten. Returns what follows.
fn expressions<'t>(tag: &'t str, end: &str, out: &mut String) -> &'t str {
    let mut rest = tag;
    while let Some(c) = rest.chars().next() {
        if let Some(after) = rest.strip_prefix(end) {
            out.push_str(end);
            return after;
        }
        let taken = match c {
            '"' | '\'' => literal(rest),
            '[' => match subscript(rest) {
                Some((name, length)) if follows_value(out) => {
                    *out = core::mem::take(out) + "." + ITEM + "('" + name + "')";
                    rest = &rest[length..];
                    continue;
                }
                _ => 1,
            },
            c => c.len_utf8(),
        };
        out.push_str(&rest[..taken]);
        rest = &rest[taken..];
    }
    rest
}

/// Bytes of the literal that `text` begins with, its quotes included.
fn literal(text: &str) -> usize {
    let quote = text.as_bytes().first();
    let mut bytes = text.bytes().enumerate().skip(1);
    while let Some((at, byte)) = bytes.next() {
        if byte == b'\\' {
            bytes.next();
        } else if Some(&byte) == quote {
            return at + 1;
        }
    }
    text.len()
}

/// The name in a subscript such as `["items"]`, and its bytes.
fn subscript(text: &str) -> Option<(&'static str, usize)> {
    let quoted = text.strip_prefix('[')?;
    let quote = quoted.chars().next().filter(|c| ['"', '\''].contains(c))?;
    METHODS.into_iter().find_map(|name| {
        let rest = quoted[1..].strip_prefix(name)?.strip_prefix(quote)?.strip_prefix(']')?;
        Some((name, text.len() - rest.len()))
    })
}

/// Whether what was written ends in a value, which a bracket after it makes a subscript; else it
/// begins a list.
fn follows_value(out: &str) -> bool {
    out.ends_with(|c: char| c.is_alphanumeric() || ['_', ')', ']'].contains(&c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_tags_are_replaced() {
        for (template, expected) in [
            ("a{% generation %}b{% endgeneration %}c", "a{% with %}b{% endwith %}c"),
            ("{%- generation -%}\n{%+\nendgeneration%}", "{%- with -%}\n{%+\nendwith%}"),
            ("{{ 'x{% generation %}' }}", "{{ 'x{% generation %}' }}"),
            ("{# {% generation %} #}{", "{# {% generation %} #}{"),
            ("{% raw %}{% generation %}{%- endraw %}", "{% raw %}{% generation %}{%- endraw %}"),
            ("{% raw %}{{ a['get'] }}{", "{% raw %}{{ a['get'] }}{"),
            ("{% generations %}{% generation", "{% generations %}{% generation"),
            ("é{%é generation %}{é", "é{%é generation %}{é"),
        ] {
            assert_eq!(rewritten(template), expected);
        }
    }

    #[test]
    fn subscripts_with_the_names_of_methods_are_calls() {
        for (template, expected) in [
            ("{{ a['items'] }}", "{{ a.__item__('items') }}"),
            ("{%- if a.b[0][\"keys\"]['x'] %}", "{%- if a.b[0].__item__('keys')['x'] %}"),
            ("{{ f(x)['get'](1) }}", "{{ f(x).__item__('get')(1) }}"),
            ("a['items'] {{ 'b' in ['items'] }}", "a['items'] {{ 'b' in ['items'] }}"),
            ("{{ 'a[\"items\"]\\'' ~ \"b\" }}", "{{ 'a[\"items\"]\\'' ~ \"b\" }}"),
            ("{{ a['item'] ~ a['itemsx'] }}", "{{ a['item'] ~ a['itemsx'] }}"),
            ("{# a['items'] #}{{ é['pop'] }}", "{# a['items'] #}{{ é.__item__('pop') }}"),
            ("{{ a['items'", "{{ a['items'"),
        ] {
            assert_eq!(rewritten(template), expected);
        }
    }
}
