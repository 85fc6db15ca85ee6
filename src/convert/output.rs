//! Where a conversion writes: one file, or parts of limited size that appear together.

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::vec;
use std::vec::Vec;

use super::ConvertError;
use super::error::io_error;
use crate::checkpoint::AtomicFile;
use crate::checkpoint::gguf::SplitName;

/// Where a conversion writes.
#[derive(Clone, Copy, Debug)]
pub struct Output<'a> {
    /// The file; of parts, what their names begin with, `.gguf` at its end apart.
    pub path: &'a Path,
    /// Bytes of tensors that a part holds at most, unless one tensor alone is larger; the file is
    /// not split if `None`. Parts have the names and keys of llama.cpp's `gguf-split`: all
    /// metadata is in the first.
    pub max_part: Option<u64>,
    /// Whether files that are there already may be replaced.
    pub replace: bool,
}

/// One file, which may replace another.
impl<'a, P: AsRef<Path> + ?Sized> From<&'a P> for Output<'a> {
    fn from(path: &'a P) -> Self {
        Output { path: path.as_ref(), max_part: None, replace: true }
    }
}

/// Most parts that `split.count`, a u16, can say.
const MAX_PARTS: usize = u16::MAX as usize;
/// Of tensors within a file, as `GgufWriter` lays them out.
const ALIGNMENT: u64 = 32;

impl Output<'_> {
    /// Divides tensors of the given sizes among parts, in their order; one part at least.
    pub(super) fn divide(
        &self,
        sizes: impl Iterator<Item = u64>,
    ) -> Result<Vec<Range<usize>>, ConvertError> {
        let limit = self.max_part.unwrap_or(u64::MAX);
        let mut parts: Vec<_> = core::iter::once(0..0).collect();
        let mut held = 0u64;
        for (index, size) in sizes.enumerate() {
            let size = size.checked_next_multiple_of(ALIGNMENT).unwrap_or(u64::MAX);
            let Some(part) = parts.last_mut() else { break };
            if part.start < part.end && held.saturating_add(size) > limit {
                parts.push(index..index + 1);
                held = size;
            } else {
                part.end = index + 1;
                held = held.saturating_add(size);
            }
        }
        if self.max_part.is_some() && parts.len() > MAX_PARTS {
            return Err(ConvertError::TooManyParts(parts.len()));
        }
        Ok(parts)
    }

    /// The files of so many parts.
    pub(super) fn paths(&self, parts: usize) -> Vec<PathBuf> {
        if self.max_part.is_none() {
            return vec![self.path.into()];
        }
        let name = SplitName::new(self.path, parts);
        (1..=parts).map(|part| name.path(part)).collect()
    }

    pub(super) fn refuse_existing(&self, paths: &[PathBuf]) -> Result<(), ConvertError> {
        match paths.iter().find(|path| !self.replace && path.is_file()) {
            Some(path) => Err(ConvertError::Exists(path.clone())),
            None => Ok(()),
        }
    }
}

/// Gives files their names, the first at last: without the part that has the metadata the others
/// are no model. If one cannot be named, those that were are removed.
pub(super) fn commit(files: Vec<(AtomicFile, &PathBuf)>) -> Result<(), ConvertError> {
    let mut named = Vec::new();
    for (file, path) in files.into_iter().rev() {
        if let Err(e) = file.commit() {
            for path in named {
                // What cannot be removed is left: the error at hand says why nothing is complete.
                let _ = fs::remove_file(path);
            }
            return Err(io_error(path, e));
        }
        named.push(path);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_hold_no_more_than_asked() {
        let ends = |max_part, sizes: &[u64]| {
            let output = Output { path: Path::new("m"), max_part, replace: true };
            let parts = output.divide(sizes.iter().copied()).unwrap();
            assert!(parts.iter().zip(parts.iter().skip(1)).all(|(a, b)| a.end == b.start));
            parts.iter().map(|part| part.end).collect::<Vec<_>>()
        };
        assert_eq!(ends(None, &[500, 500]), [2]);
        assert_eq!(ends(Some(64), &[]), [0]);
        assert_eq!(ends(Some(64), &[32, 1, 1, 64, 65, 32]), [2, 3, 4, 5, 6]);
        assert_eq!(ends(Some(1), &[500, 20]), [1, 2]);
    }
}
