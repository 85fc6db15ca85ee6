//! A file, mapped into memory: what lets a model larger than memory be read in place.

use std::fs::File;
use std::io;
use std::ops::Deref;
use std::path::Path;

/// A whole file as a byte slice, read lazily by the operating system.
///
/// **Contract.** Nobody may truncate or rewrite the file while it is mapped, in this process or
/// any other: reading past a new end stops the process (`SIGBUS`), and bytes that change under a
/// shared slice break Rust's aliasing rules. Replacing a model by renaming a new file over it
/// is fine: the mapping keeps the old file.
#[derive(Debug)]
pub struct MappedFile(memmap2::Mmap);

impl MappedFile {
    /// Maps the file at `path` for reading.
    ///
    /// # Errors
    /// If the file cannot be opened or mapped.
    pub fn open(path: impl AsRef<Path>) -> io::Result<Self> {
        let file = File::open(path)?;
        if file.metadata()?.is_dir() {
            return Err(io::Error::from(io::ErrorKind::IsADirectory));
        }
        // SAFETY: the mapping is private to this value, read-only, and the type's contract
        // forbids changing the file while the value lives.
        let map = unsafe { memmap2::Mmap::map(&file)? };
        Ok(MappedFile(map))
    }
}

impl Deref for MappedFile {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl AsRef<[u8]> for MappedFile {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_whole_files_and_refuses_directories() {
        let this = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/mapped_file.rs");
        let map = MappedFile::open(&this).unwrap();
        assert_eq!(&map[..], std::fs::read(&this).unwrap());
        let dir = MappedFile::open(env!("CARGO_MANIFEST_DIR")).unwrap_err();
        assert_eq!(dir.kind(), io::ErrorKind::IsADirectory);
        let none = MappedFile::open(this.with_extension("none")).unwrap_err();
        assert_eq!(none.kind(), io::ErrorKind::NotFound);
    }
}
