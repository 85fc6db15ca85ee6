//! Where weights are read from: a file, a card, a flash that is not mapped into memory.

use crate::error::SourceError;

/// A device's own code for what went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Fault(pub u32);

/// Bytes that are read while something else is computed: by DMA, say.
///
/// A read is begun and later finished; one at a time. The source has the buffer in between, so that
/// nothing else can touch what a DMA writes to. What reads at once is a [`Read`].
pub trait Source<'b> {
    /// Bytes there are. A device may have more than the model's file.
    fn size(&self) -> u64;

    /// Reads begin and end at multiples of it, but where the source ends: a power of two, 512 for a
    /// card of blocks, 1 where any byte can be read.
    fn unit(&self) -> usize {
        1
    }

    /// Begins to read `len` bytes from `offset` on to the first of `buffer`, which has as many. What
    /// goes wrong, [`Source::finish`] says.
    fn begin(&mut self, offset: u64, len: usize, buffer: &'b mut [u8]);

    /// Waits for the end of what was begun, and gives the buffer back with the number of bytes that
    /// were read; `None` if nothing was begun.
    fn finish(&mut self) -> Option<(&'b mut [u8], Result<usize, Fault>)>;
}

/// Bytes that are read at once.
pub trait Read {
    /// See [`Source::size`].
    fn size(&self) -> u64;

    /// See [`Source::unit`].
    fn unit(&self) -> usize {
        1
    }

    /// Reads `buffer.len()` bytes from `offset` on; how many came.
    ///
    /// # Errors
    /// The device's.
    fn read(&mut self, offset: u64, buffer: &mut [u8]) -> Result<usize, Fault>;
}

/// A [`Read`] as a [`Source`]: it reads when the read is finished.
#[derive(Debug)]
pub struct Blocking<'b, R> {
    reader: R,
    begun: Option<(u64, usize, &'b mut [u8])>,
}

impl<R: Read> Blocking<'_, R> {
    /// Reads by `reader`.
    pub const fn new(reader: R) -> Self {
        Blocking { reader, begun: None }
    }

    /// What reads.
    pub const fn reader(&self) -> &R {
        &self.reader
    }
}

impl<'b, R: Read> Source<'b> for Blocking<'b, R> {
    fn size(&self) -> u64 {
        self.reader.size()
    }

    fn unit(&self) -> usize {
        self.reader.unit()
    }

    fn begin(&mut self, offset: u64, len: usize, buffer: &'b mut [u8]) {
        self.begun = Some((offset, len, buffer));
    }

    fn finish(&mut self) -> Option<(&'b mut [u8], Result<usize, Fault>)> {
        let (offset, len, buffer) = self.begun.take()?;
        let read = match buffer.get_mut(..len) {
            Some(buffer) => self.reader.read(offset, buffer),
            None => Ok(0),
        };
        Some((buffer, read))
    }
}

/// A file of the operating system.
#[cfg(feature = "std")]
#[derive(Debug)]
pub struct FileReader {
    file: std::fs::File,
    size: u64,
}

#[cfg(feature = "std")]
impl FileReader {
    /// Opens a file.
    ///
    /// # Errors
    /// The operating system's.
    pub fn open(path: impl AsRef<std::path::Path>) -> std::io::Result<Self> {
        let file = std::fs::File::open(path)?;
        let size = file.metadata()?.len();
        Ok(FileReader { file, size })
    }
}

#[cfg(feature = "std")]
impl Read for FileReader {
    fn size(&self) -> u64 {
        self.size
    }

    fn read(&mut self, offset: u64, buffer: &mut [u8]) -> Result<usize, Fault> {
        use std::io::{ErrorKind, Read as _, Seek as _, SeekFrom};
        let fault = |error: std::io::Error| {
            Fault(error.raw_os_error().and_then(|code| code.try_into().ok()).unwrap_or(0))
        };
        self.file.seek(SeekFrom::Start(offset)).map_err(fault)?;
        let mut read = 0;
        while let Some(rest) = buffer.get_mut(read..).filter(|rest| !rest.is_empty()) {
            match self.file.read(rest) {
                Ok(0) => break,
                Ok(n) => read += n,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(fault(error)),
            }
        }
        Ok(read)
    }
}

/// A read: where it begins, and how long it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub offset: u64,
    pub len: usize,
}

impl Span {
    /// The same in whole units of a source of `size` bytes, and where in it this begins.
    pub(super) fn in_units(self, unit: usize, size: u64) -> Result<(Span, usize), SourceError> {
        let Span { offset, len } = self;
        let beyond = SourceError::BeyondEnd { offset, wanted: len, len: size };
        let end = offset.checked_add(len as u64).filter(|end| *end <= size).ok_or(beyond)?;
        // A power of two: division is software where it is 64 bits wide.
        let last = unit.max(1) as u64 - 1;
        let start = offset & !last;
        let whole_end = (end.saturating_add(last) & !last).min(size);
        let len = usize::try_from(whole_end - start).map_err(|_| beyond)?;
        let skip = usize::try_from(offset - start).map_err(|_| beyond)?;
        Ok((Span { offset: start, len }, skip))
    }
}
