//! Which files a text is made of.

use std::format;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;
use std::vec;
use std::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::train::TrainError;

/// A text file, and what tells whether it has changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// Its path, absolute.
    pub path: PathBuf,
    /// Its size.
    pub bytes: u64,
    /// Its time of change, in nanoseconds since 1970.
    pub modified_ns: u64,
}

/// The files that `patterns` name, in their order: a file, a directory (all `*.txt` below it,
/// sorted), or a glob pattern (its matches, sorted).
///
/// # Errors
/// If one does not exist, matches nothing, or cannot be read; if all files are empty.
pub fn find(patterns: &[PathBuf]) -> Result<Vec<Source>, TrainError> {
    let mut sources = Vec::new();
    for pattern in patterns {
        for path in expand(pattern)? {
            sources.push(Source::of(&path)?);
        }
    }
    if sources.iter().all(|source| source.bytes == 0) {
        let names: Vec<_> = patterns.iter().map(|p| format!("{}", p.display())).collect();
        return Err(TrainError::Data(format!("there is no text in {}", names.join(", "))));
    }
    Ok(sources)
}

impl Source {
    fn of(path: &Path) -> Result<Self, TrainError> {
        let io = |source| TrainError::Io { path: path.into(), source };
        let metadata = fs::metadata(path).map_err(io)?;
        let age = metadata.modified().map_err(io)?.duration_since(UNIX_EPOCH);
        let modified_ns = age.map_or(0, |age| u64::try_from(age.as_nanos()).unwrap_or(u64::MAX));
        Ok(Source { path: fs::canonicalize(path).map_err(io)?, bytes: metadata.len(), modified_ns })
    }

    /// Whether the file is gone: then nothing can be said about a change.
    pub fn is_gone(&self) -> bool {
        !self.path.exists()
    }

    /// Whether the file is the one it was.
    pub fn is_unchanged(&self) -> bool {
        Source::of(&self.path).is_ok_and(|now| now == *self)
    }
}

fn expand(path: &Path) -> Result<Vec<PathBuf>, TrainError> {
    let shown = path.display();
    if path.is_file() {
        return Ok(vec![path.into()]);
    }
    let text = path.to_str().ok_or_else(|| {
        TrainError::Data(format!("{shown} is not a file, and not UTF-8: not a pattern either"))
    })?;
    let pattern = if path.is_dir() {
        format!("{}/**/*.txt", glob::Pattern::escape(text))
    } else if text.contains(['*', '?', '[']) {
        text.into()
    } else {
        let source = std::io::ErrorKind::NotFound.into();
        return Err(TrainError::Io { path: path.into(), source });
    };
    let matches = glob::glob(&pattern)
        .map_err(|e| TrainError::Data(format!("{shown} is no pattern of file names: {e}")))?;
    let mut files = Vec::new();
    for found in matches {
        let found =
            found.map_err(|e| TrainError::Io { path: e.path().into(), source: e.into() })?;
        if found.is_file() {
            files.push(found);
        }
    }
    if files.is_empty() {
        return Err(TrainError::Data(format!("no text file matches {pattern}")));
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    #[test]
    fn files_directories_and_patterns() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("b.txt", "bb");
        write("a.txt", "a");
        write("deep/er/c.txt", "ccc");
        write("d.md", "dddd");
        let sizes = |pattern: &str| {
            let found = find(&[dir.path().join(pattern)]).unwrap();
            found.iter().map(|source| source.bytes).collect::<Vec<_>>()
        };
        assert_eq!(sizes("d.md"), [4]);
        assert_eq!(sizes("*.txt"), [1, 2]);
        assert_eq!(sizes(""), [1, 2, 3]);
        let source = find(&[dir.path().join("a.txt")]).unwrap().remove(0);
        assert!(source.is_unchanged() && !source.is_gone());
        write("a.txt", "changed");
        assert!(!source.is_unchanged());
        fs::remove_file(&source.path).unwrap();
        assert!(source.is_gone());
    }

    #[test]
    fn what_is_not_there_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let empty = dir.path().join("empty.txt");
        fs::write(&empty, "").unwrap();
        for (pattern, says) in
            [("none.txt", "none.txt"), ("*.rs", "*.rs"), ("a[", "a["), ("empty.txt", "no text")]
        {
            let error = find(&[dir.path().join(pattern)]).unwrap_err().to_string();
            assert!(error.contains(says), "{pattern}: {error}");
        }
        assert!(find(&[]).is_err());
    }
}
