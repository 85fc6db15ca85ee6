//! One door for models: a GGUF file, the parts of a split one, a Hugging Face directory, or the
//! bytes of a file.

use std::borrow::{Cow, ToOwned as _};
use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::vec::Vec;

use super::gguf::{Gguf, SplitGguf, SplitName};
#[cfg(feature = "safetensors")]
use super::hf::HfDir;
use super::open_error::OpenError;
use super::{Access, Checkpoint, FileBytes, Role, Tensor, Visitor};
use crate::config::raw_xielu::RawXielu;
use crate::{Config, Error};

/// What a Git LFS pointer, a small text in the place of a file, begins with.
const LFS_POINTER: &[u8] = b"version https://git-lfs.github.com/spec/";

/// An open model, from [`open()`]: it owns the bytes that [`ModelView`]s borrow.
#[derive(Debug)]
pub enum ModelFile {
    /// A GGUF file, or all parts of a split one.
    Gguf(GgufFile),
    /// A Hugging Face directory.
    #[cfg(feature = "safetensors")]
    Hf(std::boxed::Box<HfDir>),
}

/// The bytes of a GGUF file, or of all parts of a split one.
#[derive(Debug)]
pub struct GgufFile {
    /// As it was named.
    path: PathBuf,
    parts: Vec<(PathBuf, FileBytes)>,
}

/// A view of an open model: a [`Checkpoint`].
#[derive(Debug)]
pub enum ModelView<'w> {
    /// A GGUF file, or all parts of a split one.
    Gguf(GgufView<'w>),
    /// A Hugging Face directory.
    #[cfg(feature = "safetensors")]
    Hf(&'w HfDir),
}

/// The parsed parts of a GGUF model: one, unless it is split.
#[derive(Debug)]
pub struct GgufView<'w> {
    /// One at least.
    first: Gguf<'w>,
    /// All of them.
    parts: Vec<Gguf<'w>>,
}

/// Opens the model at `path`: a GGUF file, any part of a split one, a Hugging Face directory
/// (feature `safetensors`), or a pipe with a GGUF file in it.
///
/// Files are mapped into memory (feature `mmap`), so that nothing is read before it is used; they
/// must stay as they are meanwhile: see [`Access`]. All headers are checked, no weights are.
///
/// ```
/// use xielu::checkpoint::{self, Checkpoint as _};
///
/// let file = checkpoint::open("models/tiny-Q8_0.gguf")?;
/// let view = file.view()?;
/// let config = view.checkpoint().config()?;
/// assert_eq!((config.num_layers, config.hidden_size), (4, 128));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`OpenError`], in one sentence that names the file.
pub fn open(path: impl AsRef<Path>) -> Result<ModelFile, OpenError> {
    open_with(path, Access::Map)
}

/// As [`open`], mapping or reading files.
///
/// # Errors
/// As [`open`].
pub fn open_with(path: impl AsRef<Path>, access: Access) -> Result<ModelFile, OpenError> {
    let path = path.as_ref();
    let found = fs::metadata(path).map_err(|source| io_error(path, source))?;
    if found.is_dir() {
        return open_directory(path, access);
    }
    if path.extension().is_some_and(|e| e == "safetensors" || e == "json") {
        return Err(OpenError::OneFileOfDirectory(path.to_owned()));
    }
    let bytes = if found.is_file() {
        FileBytes::open(path, access)
    } else {
        read_stream(path).map(|bytes| FileBytes::Memory(bytes.into()))
    };
    let bytes = bytes.map_err(|source| io_error(path, source))?;
    let parts = all_parts(path, bytes, access)?;
    Ok(ModelFile::Gguf(GgufFile { path: path.to_owned(), parts }))
}

/// A model from the bytes of a whole GGUF file: a `Vec`, or those of `include_bytes!`, which are
/// not copied. Its [`path`](ModelFile::path) is `the model`.
///
/// # Errors
/// [`OpenError`]; of a split model too, whose other parts are not there.
pub fn from_bytes(bytes: impl Into<Cow<'static, [u8]>>) -> Result<ModelFile, OpenError> {
    let (path, bytes) = (PathBuf::from("the model"), FileBytes::Memory(bytes.into()));
    let unusable = |source| OpenError::Model { path: path.clone(), source };
    let gguf = parse(&path, &bytes)?;
    let count = gguf.part_count().map_err(unusable)?;
    if count != 1 {
        let part = part_number(&gguf).map_err(unusable)?;
        return Err(OpenError::PartName { path, part, count });
    }
    Ok(ModelFile::Gguf(GgufFile { path: path.clone(), parts: [(path, bytes)].into() }))
}

impl ModelFile {
    /// The checked view.
    ///
    /// # Errors
    /// If the bytes are no longer what they were when they were opened.
    pub fn view(&self) -> Result<ModelView<'_>, OpenError> {
        match self {
            ModelFile::Gguf(file) => GgufView::parse(&file.parts).map(ModelView::Gguf),
            #[cfg(feature = "safetensors")]
            ModelFile::Hf(dir) => Ok(ModelView::Hf(dir)),
        }
    }

    /// Bytes of the file, or of all parts; `None` for a directory.
    pub fn file_size(&self) -> Option<usize> {
        match self {
            ModelFile::Gguf(file) => Some(file.parts.iter().map(|(_, bytes)| bytes.len()).sum()),
            #[cfg(feature = "safetensors")]
            ModelFile::Hf(_) => None,
        }
    }

    /// Where it lies, as it was named.
    pub fn path(&self) -> &Path {
        match self {
            ModelFile::Gguf(file) => &file.path,
            #[cfg(feature = "safetensors")]
            ModelFile::Hf(dir) => dir.path(),
        }
    }
}

impl<'w> ModelView<'w> {
    /// The door to configuration and tensors.
    pub fn checkpoint(&self) -> &dyn Checkpoint<'w> {
        match self {
            ModelView::Gguf(gguf) => gguf,
            #[cfg(feature = "safetensors")]
            ModelView::Hf(dir) => dir,
        }
    }
}

impl<'w> GgufView<'w> {
    fn parse(parts: &'w [(PathBuf, FileBytes)]) -> Result<Self, OpenError> {
        let parse = |(path, bytes): &'w (PathBuf, FileBytes)| {
            Gguf::parse(bytes).map_err(|source| OpenError::Gguf { path: path.clone(), source })
        };
        let parts = parts.iter().map(parse).collect::<Result<Vec<_>, _>>()?;
        let first = parts.first().cloned();
        let first = first.ok_or_else(|| io_error(Path::new(""), io::ErrorKind::NotFound.into()))?;
        Ok(GgufView { first, parts })
    }

    /// The part with the metadata: the file itself, unless the model is split.
    pub const fn first(&self) -> &Gguf<'w> {
        &self.first
    }

    /// The whole model.
    pub fn split(&self) -> SplitGguf<'_, 'w> {
        SplitGguf { parts: &self.parts }
    }
}

impl<'w> Checkpoint<'w> for GgufView<'w> {
    fn config(&self) -> Result<Config, Error> {
        self.split().config()
    }

    fn tensor(&self, role: Role) -> Result<Option<Tensor<'w>>, Error> {
        self.split().tensor(role)
    }

    fn visit(&self, visitor: Visitor<'_, 'w>) -> Result<(), Error> {
        self.split().visit(visitor)
    }

    fn raw_xielu(&self, layer: usize) -> Result<RawXielu, Error> {
        self.split().raw_xielu(layer)
    }
}

fn io_error(path: &Path, source: io::Error) -> OpenError {
    OpenError::Io { path: path.to_owned(), source }
}

/// The bytes of a pipe or a device, to its end; only their beginning if they are no GGUF file.
fn read_stream(path: &Path) -> io::Result<Vec<u8>> {
    let mut file = fs::File::open(path)?;
    let mut bytes = Vec::new();
    (&mut file).take(LFS_POINTER.len() as u64).read_to_end(&mut bytes)?;
    if bytes.starts_with(b"GGUF") {
        file.read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}

/// Which part of a split model a file is, from 1.
fn part_number(gguf: &Gguf<'_>) -> Result<usize, Error> {
    Ok((gguf.read_u32("split.no")?.unwrap_or(0) as usize).saturating_add(1))
}

/// The file, or all parts of the model that it is one of.
fn all_parts(
    path: &Path,
    bytes: FileBytes,
    access: Access,
) -> Result<Vec<(PathBuf, FileBytes)>, OpenError> {
    let unusable = |source| OpenError::Model { path: path.to_owned(), source };
    let gguf = parse(path, &bytes)?;
    let count = gguf.part_count().map_err(unusable)?;
    if count == 1 {
        return Ok([(path.to_owned(), bytes)].into());
    }
    let Some(name) = SplitName::parse(path) else {
        let part = part_number(&gguf).map_err(unusable)?;
        return Err(OpenError::PartName { path: path.to_owned(), part, count });
    };
    if name.count != count {
        return Err(OpenError::PartCount { path: path.to_owned(), named: name.count, count });
    }
    let mut parts = Vec::new();
    let mut named = Some(bytes);
    for number in 1..=count {
        let part = name.path(number);
        let given = if number == name.part { named.take() } else { None };
        let bytes = match given {
            Some(bytes) => Ok(bytes),
            None => FileBytes::open(&part, access),
        };
        let bytes = bytes.map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => OpenError::MissingPart { number, count, path: part.clone() },
            _ => io_error(&part, source),
        })?;
        parse(&part, &bytes)?;
        parts.push((part, bytes));
    }
    SplitGguf::new(&GgufView::parse(&parts)?.parts).map_err(unusable)?;
    Ok(parts)
}

fn parse<'w>(path: &Path, bytes: &'w [u8]) -> Result<Gguf<'w>, OpenError> {
    if bytes.starts_with(LFS_POINTER) {
        return Err(OpenError::LfsPointer(path.to_owned()));
    }
    let begins =
        |with: &[u8]| bytes.get(..with.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(with));
    if begins(b"<!doctype html") || begins(b"<html") {
        return Err(OpenError::WebPage(path.to_owned()));
    }
    Gguf::parse(bytes).map_err(|source| OpenError::Gguf { path: path.to_owned(), source })
}

#[cfg(feature = "safetensors")]
fn open_directory(path: &Path, access: Access) -> Result<ModelFile, OpenError> {
    match HfDir::open_with(path, access) {
        Ok(dir) => Ok(ModelFile::Hf(dir.into())),
        Err(source) => Err(OpenError::Hf { path: path.to_owned(), source }),
    }
}

#[cfg(not(feature = "safetensors"))]
fn open_directory(path: &Path, _: Access) -> Result<ModelFile, OpenError> {
    Err(OpenError::Directory(path.to_owned()))
}
