//! A text file as pieces that can be tokenized apart, read as they are needed.

use std::format;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::string::String;
use std::vec::Vec;

use crate::train::TrainError;

/// Bytes of a piece, about.
pub const PIECE: usize = 256 << 10;
/// Pieces grow to this many times their size in search of a place to cut.
const PATIENCE: usize = 16;

/// A part of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// The text; may be empty at the end of a document.
    pub text: String,
    /// Whether the document ends with it.
    pub ends_document: bool,
}

/// The pieces of a file.
///
/// Cuts are before a newline that follows an ASCII letter or digit. No pattern of the known
/// byte-level tokenizers joins these two, so the tokens are those of the whole text. Only where
/// 16 pieces' worth of text has no such place is it cut at any character.
pub struct Pieces {
    path: PathBuf,
    file: File,
    separator: Option<String>,
    size: usize,
    text: String,
    /// Bytes of `text` that are given away.
    start: usize,
    /// An incomplete character.
    tail: Vec<u8>,
    /// Bytes of the file before `tail`.
    offset: u64,
    at_end: bool,
    /// Whether the current document has text that was given away.
    inside: bool,
}

impl Pieces {
    /// Opens a file of documents between `separator`s; one document without it.
    pub fn open(path: &Path, separator: Option<&str>) -> Result<Self, TrainError> {
        Self::with_size(path, separator, PIECE)
    }

    fn with_size(path: &Path, separator: Option<&str>, size: usize) -> Result<Self, TrainError> {
        let file =
            File::open(path).map_err(|source| TrainError::Io { path: path.into(), source })?;
        Ok(Pieces {
            path: path.into(),
            file,
            separator: separator.filter(|s| !s.is_empty()).map(Into::into),
            size,
            text: String::new(),
            start: 0,
            tail: Vec::new(),
            offset: 0,
            at_end: false,
            inside: false,
        })
    }

    fn rest(&self) -> &str {
        self.text.get(self.start..).unwrap_or_default()
    }

    /// Reads on until `wanted` bytes are there, or the file ends.
    fn fill(&mut self, wanted: usize) -> Result<(), TrainError> {
        if self.at_end || self.rest().len() >= wanted {
            return Ok(());
        }
        self.text.drain(..self.start);
        self.start = 0;
        let missing = (wanted - self.text.len()) as u64;
        let io = |path: &Path, source| TrainError::Io { path: path.into(), source };
        let read = io::Read::by_ref(&mut self.file)
            .take(missing.max(4))
            .read_to_end(&mut self.tail)
            .map_err(|source| io(&self.path, source))?;
        self.at_end = read == 0;
        let (valid, broken) = match std::str::from_utf8(&self.tail) {
            Ok(text) => (text.len(), false),
            Err(e) => (e.valid_up_to(), e.error_len().is_some() || self.at_end),
        };
        let rest = self.tail.split_off(valid);
        let bytes = std::mem::replace(&mut self.tail, rest);
        self.offset += bytes.len() as u64;
        if broken {
            return Err(TrainError::Data(format!(
                "{} is not UTF-8: byte {} begins no character",
                self.path.display(),
                self.offset
            )));
        }
        match String::from_utf8(bytes) {
            Ok(text) => self.text.push_str(&text),
            Err(e) => return Err(io(&self.path, io::Error::other(e))),
        }
        Ok(())
    }

    /// Gives `len` bytes away and leaves out `skipped` after them.
    fn take(&mut self, len: usize, skipped: usize, ends_document: bool) -> Piece {
        let text: String = self.rest().get(..len).unwrap_or_default().into();
        self.start += len + skipped;
        self.inside = !ends_document && (self.inside || !text.is_empty());
        Piece { text, ends_document }
    }

    fn read(&mut self) -> Result<Option<Piece>, TrainError> {
        let mut wanted = self.size;
        loop {
            self.fill(wanted)?;
            let rest = self.rest();
            let separator = self.separator.as_deref().unwrap_or_default();
            if let Some(at) = self.separator.as_deref().and_then(|s| rest.find(s)) {
                let skipped = separator.len();
                if at == 0 && !self.inside {
                    self.start += skipped;
                    continue;
                }
                return Ok(Some(self.take(at, skipped, true)));
            }
            if self.at_end {
                let len = rest.len();
                return Ok((len > 0 || self.inside).then(|| self.take(len, 0, true)));
            }
            // A separator may have begun in the last bytes.
            let known = rest.len().saturating_sub(separator.len().saturating_sub(1));
            let head = (0..=known).rev().find_map(|at| rest.get(..at)).unwrap_or_default();
            let patient = rest.len() < self.size * PATIENCE;
            match cut(head).or((!patient).then_some(head.len())).filter(|&at| at > 0) {
                Some(at) => return Ok(Some(self.take(at, 0, false))),
                None => wanted = rest.len() + self.size,
            }
        }
    }
}

impl Iterator for Pieces {
    type Item = Result<Piece, TrainError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read().transpose()
    }
}

/// The last newline that follows an ASCII letter or digit.
fn cut(text: &str) -> Option<usize> {
    let pairs = text.as_bytes().windows(2);
    pairs.rev().position(|w| matches!(w, [b, b'\n'] if b.is_ascii_alphanumeric())).map(|i| {
        // `i` pairs come after the one found, whose newline is its second byte.
        text.len() - 1 - i
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;
    use std::vec;

    fn pieces(text: &[u8], separator: Option<&str>, size: usize) -> Result<Vec<Piece>, TrainError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("text");
        std::fs::write(&path, text).unwrap();
        Pieces::with_size(&path, separator, size)?.collect()
    }

    /// The documents of `pieces`, and how many pieces there were.
    fn documents(pieces: &[Piece]) -> Vec<String> {
        let mut documents = vec![String::new()];
        for piece in pieces {
            documents.last_mut().unwrap().push_str(&piece.text);
            if piece.ends_document {
                documents.push(String::new());
            }
        }
        assert_eq!(documents.pop().unwrap(), "", "the last document does not end");
        documents
    }

    #[test]
    fn pieces_are_the_text() {
        let text = "one\ntwo, äöü\n\nthree\nfour 4\n\n\nfive.\nnone\n\n\n\n\n\nsix\n";
        for size in 2..80 {
            let found = pieces(text.as_bytes(), None, size).unwrap();
            assert_eq!(documents(&found), [text]);
            for pair in found.windows(2) {
                let [a, b] = pair else { continue };
                assert!(a.text.ends_with(|c: char| c.is_ascii_alphanumeric()), "{size}: {a:?}");
                assert!(b.text.starts_with('\n') || b.text.is_empty(), "{size}: {b:?}");
            }
            let found = pieces(text.as_bytes(), Some("\n\n\n"), size).unwrap();
            assert_eq!(
                documents(&found),
                ["one\ntwo, äöü\n\nthree\nfour 4", "five.\nnone", "six\n"],
                "{size}: {found:?}"
            );
        }
    }

    #[test]
    fn text_without_a_place_to_cut_is_cut_at_characters() {
        let text = "ä€😀".repeat(100);
        let found = pieces(text.as_bytes(), None, 4).unwrap();
        assert!(found.len() > 10);
        assert_eq!(documents(&found), [text]);
        assert!(found.iter().all(|piece| piece.text.len() <= 4 * PATIENCE + 8));
    }

    #[test]
    fn bytes_that_are_no_text_are_found() {
        for (bytes, at) in [(&b"fine\nnot \xff fine"[..], 9), (b"cut off \xf0\x9f\x98", 8)] {
            for size in [1, 4, 100] {
                let error = pieces(bytes, None, size).unwrap_err().to_string();
                assert!(error.contains(&format!("not UTF-8: byte {at} ")), "{error}");
            }
        }
        assert_eq!(pieces(b"", None, 10).unwrap(), []);
        assert_eq!(pieces(b"--", Some("-"), 10).unwrap(), []);
    }
}
