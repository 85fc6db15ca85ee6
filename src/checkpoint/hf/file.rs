//! Reading files of a directory: of bounded size, never from a pipe or device, and never one
//! thing for another.

use std::borrow::ToOwned;
use std::fs;
use std::path::Path;
use std::vec::Vec;

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::HfError;
use crate::checkpoint::text_limit;

/// Bytes of a tokenizer or a file of settings. The largest in use have 40 million.
const MAX_BYTES: u64 = 128 << 20;

/// What a Git LFS pointer begins with; it is text of about 130 bytes.
const LFS_POINTER: &[u8] = b"version https://git-lfs.github.com/spec/";

/// Checks that `path`, links followed, is a plain file; opening a pipe would wait for ever.
/// Returns its size.
pub(super) fn plain_file(path: &Path) -> Result<u64, HfError> {
    let metadata = fs::metadata(path).map_err(|source| unreadable(path, source))?;
    if !metadata.is_file() {
        return Err(HfError::NotAFile(path.to_owned()));
    }
    Ok(metadata.len())
}

/// Why a file cannot be read: where it is a link into a cache, that its end is missing there.
fn unreadable(path: &Path, source: std::io::Error) -> HfError {
    match fs::read_link(path) {
        Ok(target) if source.kind() == std::io::ErrorKind::NotFound => {
            HfError::BrokenLink { path: path.to_owned(), target }
        }
        _ => HfError::Io { path: path.to_owned(), source },
    }
}

/// Refuses what is there in place of a file: a pointer of Git LFS, the page that a website
/// shows instead of the file.
pub(super) fn refuse_stand_in(path: &Path, bytes: &[u8]) -> Result<(), HfError> {
    let page = |start: &[u8]| {
        bytes.get(..start.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(start))
    };
    if bytes.starts_with(LFS_POINTER) {
        Err(HfError::LfsPointer(path.to_owned()))
    } else if page(b"<!doctype html") || page(b"<html") {
        Err(HfError::WebPage(path.to_owned()))
    } else {
        Ok(())
    }
}

/// A JSON file of at most `limit` bytes, or more where the user says so.
pub(super) fn read_json_within<T: DeserializeOwned>(path: &Path, limit: u64) -> Result<T, HfError> {
    let text = read_within(path, limit)?;
    serde_json::from_slice(&text).map_err(|source| HfError::Json { path: path.to_owned(), source })
}

/// A file of at most `limit` bytes, or more where the user says so.
pub(super) fn read_within(path: &Path, limit: u64) -> Result<Vec<u8>, HfError> {
    let (bytes, limit) = (plain_file(path)?, text_limit::raised(limit));
    if bytes > limit {
        return Err(HfError::TooLarge { path: path.to_owned(), bytes, limit });
    }
    let text = fs::read(path).map_err(|source| unreadable(path, source))?;
    refuse_stand_in(path, &text)?;
    Ok(text)
}

/// Whether there is anything of this name, if only a link that leads nowhere.
pub(super) fn is_there(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

/// The contents of a file; `None` if there is none. Devices and pipes may never end.
pub(super) fn read(path: &Path) -> Result<Option<Vec<u8>>, HfError> {
    if is_there(path) { read_within(path, MAX_BYTES).map(Some) } else { Ok(None) }
}

/// A file that is a JSON object; null if there is none.
pub(super) fn read_object(path: &Path) -> Result<Value, HfError> {
    let Some(text) = read(path)? else { return Ok(Value::Null) };
    let json: Value = serde_json::from_slice(&text)
        .map_err(|source| HfError::Json { path: path.to_owned(), source })?;
    if !json.is_object() {
        let reason = "it is not a JSON object".into();
        return Err(HfError::Tokenizer { path: path.to_owned(), reason });
    }
    Ok(json)
}
