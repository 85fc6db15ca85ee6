//! Files of a run.

use std::path::Path;

use super::TrainError;
use crate::checkpoint::AtomicFile;

/// Writes a file that appears whole or not at all.
pub(super) fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), TrainError> {
    AtomicFile::write(path, bytes).map_err(|source| TrainError::Io { path: path.into(), source })
}
