//! What can go wrong where weights are read from a device.

/// Weights that could not be read from where they are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SourceError {
    /// The model's file says that there are bytes beyond the end of the source.
    BeyondEnd {
        /// Where the read begins.
        offset: u64,
        /// Bytes wanted.
        wanted: usize,
        /// Bytes the source has.
        len: u64,
    },
    /// Fewer bytes came than were asked for.
    Short {
        /// Where the read began.
        offset: u64,
        /// Bytes wanted.
        wanted: usize,
        /// Bytes that came.
        found: usize,
    },
    /// The device reports an error.
    Device {
        /// Where the read began.
        offset: u64,
        /// The device's own code.
        code: u32,
    },
    /// The source holds another file than the one whose head was read: from here on they differ.
    OtherFile {
        /// The first byte that differs.
        offset: u64,
    },
    /// The source did not give a buffer back that it was given.
    Buffer,
}

crate::kernels::messages!(SourceError {
    SourceError::BeyondEnd { offset, wanted, len } => (
        "{} bytes at {} of the weights' source are beyond its {} bytes", wanted, offset, len,
    ),
    SourceError::Short { offset, wanted, found } => (
        "{} bytes came of the {} at {} of the weights' source", found, wanted, offset,
    ),
    SourceError::Device { offset, code } => (
        "the weights' source reports error {} at byte {}", code, offset,
    ),
    SourceError::OtherFile { offset } => (
        "the weights' source differs from the model's head at byte {}", offset,
    ),
    SourceError::Buffer => ("the weights' source did not give a buffer back"),
});

impl core::error::Error for SourceError {}
