//! Texts at which a generation ends, however tokens cut them.

use std::string::String;
use std::vec::Vec;

/// Texts that end a generation. They are found across the pieces of a text, and what may yet
/// become one of them is held back.
///
/// ```
/// use xielu::session::StopTexts;
///
/// let mut stops = StopTexts::new(["\nUser:"]);
/// assert_eq!(stops.push("Yes.\nUs"), ("Yes.".into(), false));
/// assert_eq!(stops.push("e it"), ("\nUse it".into(), false));
/// assert_eq!(stops.push("!\nUser: and"), ("!".into(), true));
/// ```
#[derive(Clone, Debug, Default)]
pub struct StopTexts {
    texts: Vec<String>,
    /// What may be the beginning of one of them.
    held: String,
}

impl StopTexts {
    /// A generation that ends where one of `texts` begins; empty ones count for nothing.
    pub fn new<S: Into<String>>(texts: impl IntoIterator<Item = S>) -> Self {
        let texts = texts.into_iter().map(Into::into).filter(|text| !text.is_empty());
        StopTexts { texts: texts.collect(), held: String::new() }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }

    /// Takes the next piece of a text. Returns what can be given of it so far, and whether the
    /// text ends there.
    pub fn push(&mut self, piece: &str) -> (String, bool) {
        self.held += piece;
        let found = self.texts.iter().filter_map(|text| self.held.find(text.as_str())).min();
        if let Some(at) = found {
            self.held.truncate(at);
            return (core::mem::take(&mut self.held), true);
        }
        let held = self.texts.iter().map(|text| overlap(&self.held, text)).max().unwrap_or(0);
        let rest = self.held.split_off(self.held.len() - held);
        (core::mem::replace(&mut self.held, rest), false)
    }

    /// What was held back, when no more comes.
    pub fn finish(&mut self) -> String {
        core::mem::take(&mut self.held)
    }
}

/// Bytes at the end of `text` that `stop` begins with.
fn overlap(text: &str, stop: &str) -> usize {
    let longest = text.len().min(stop.len() - 1);
    let is_shared = |n: &usize| stop.is_char_boundary(*n) && text.ends_with(&stop[..*n]);
    (1..=longest).rev().find(is_shared).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// However a text is cut, the same comes out.
    #[test]
    fn pieces_do_not_matter() {
        for (text, stops, expected) in [
            ("abcabd!", &["abd"][..], Some("abc")),
            ("aaab", &["aab"], Some("a")),
            ("aaaa", &["aab"], None),
            ("héé\u{1f600}x", &["é\u{1f600}"], Some("hé")),
            ("one two", &["two", "ne"], Some("o")),
            ("x<|end", &["<|end|>", ""], None),
            ("stop", &["stop"], Some("")),
            ("any", &[], None),
        ] {
            let cuts: Vec<usize> = text.char_indices().map(|(i, _)| i).collect();
            for &cut in &cuts {
                for &second in cuts.iter().filter(|&&second| second >= cut) {
                    let mut stop = StopTexts::new(stops.iter().copied());
                    let mut out = String::new();
                    let pieces = [&text[..cut], &text[cut..second], &text[second..]];
                    let stopped = pieces.iter().any(|piece| {
                        let (given, stopped) = stop.push(piece);
                        out += &given;
                        stopped
                    });
                    out += &stop.finish();
                    assert_eq!(stopped, expected.is_some(), "{text} {stops:?}");
                    assert_eq!(out, expected.unwrap_or(text), "{text} {stops:?} {cut} {second}");
                }
            }
        }
    }
}
