//! The bytes of a file: mapped into memory, read, or given by the program.

use std::borrow::Cow;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::ops::Deref;
use std::path::Path;
use std::vec::Vec;

#[cfg(feature = "mmap")]
use crate::kernels::MappedFile;

/// How a file's bytes come into memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Access {
    /// Mapped: nothing is read before it is used, and programs that map the same file share its
    /// memory. The file must stay as it is: see `kernels::MappedFile`. What cannot be mapped, such
    /// as a pipe, is read; without feature `mmap` everything is.
    #[default]
    Map,
    /// Read whole, at once: what becomes of the file afterwards does not matter.
    Read,
}

/// The bytes of a file.
#[derive(Debug)]
pub enum FileBytes {
    /// Mapped.
    #[cfg(feature = "mmap")]
    Mapped(MappedFile),
    /// Read, or in the program's memory from the start.
    Memory(Cow<'static, [u8]>),
}

impl FileBytes {
    /// The bytes of the file at `path`.
    ///
    /// # Errors
    /// If it cannot be opened, mapped or read, or is larger than the memory there is.
    pub fn open(path: impl AsRef<Path>, access: Access) -> io::Result<Self> {
        let path = path.as_ref();
        let found = fs::metadata(path)?;
        #[cfg(feature = "mmap")]
        if access == Access::Map && found.is_file() {
            return MappedFile::open(path).map(FileBytes::Mapped);
        }
        // Without `mmap` there is one way only.
        let _ = access;
        if found.is_dir() {
            return Err(io::Error::from(io::ErrorKind::IsADirectory));
        }
        let mut bytes = Vec::new();
        if let Ok(size) = usize::try_from(found.len()) {
            bytes.try_reserve_exact(size)?;
        }
        // Grows by `try_reserve`, so that a stream without an end is an error and no abort.
        File::open(path)?.read_to_end(&mut bytes)?;
        Ok(FileBytes::Memory(bytes.into()))
    }
}

impl Deref for FileBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            #[cfg(feature = "mmap")]
            FileBytes::Mapped(map) => map,
            FileBytes::Memory(bytes) => bytes,
        }
    }
}

impl AsRef<[u8]> for FileBytes {
    fn as_ref(&self) -> &[u8] {
        self
    }
}
