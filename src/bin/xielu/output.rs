//! Files that appear whole or not at all.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::{Context as _, bail};
use tempfile::NamedTempFile;

/// What to do with a file that is already there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// Refuse to write.
    Keep,
    /// Replace it once the new one is complete.
    Replace,
}

/// Writes `path` through a temporary file beside it, which takes its name when `fill` succeeds
/// and disappears when it fails. A device or pipe is written to directly.
pub fn write<T>(
    path: &Path,
    existing: Existing,
    fill: impl FnOnce(&mut BufWriter<&File>) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let shown = path.display();
    let cannot_write = || format!("cannot write {shown}");
    let special = match fs::metadata(path) {
        Ok(m) if m.is_dir() => bail!("cannot write {shown}: it is a directory"),
        Ok(m) => !m.is_file(),
        Err(_) => false,
    };
    if special {
        let file = File::options().write(true).open(path).with_context(cannot_write)?;
        return fill_and_flush(&file, fill).with_context(cannot_write);
    }
    refuse_existing(path, existing)?;
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let temporary = NamedTempFile::with_prefix_in(".xielu-", parent).with_context(cannot_write)?;
    let result = fill_and_flush(temporary.as_file(), fill).with_context(cannot_write)?;
    make_readable(temporary.as_file()).with_context(cannot_write)?;
    let kept = match existing {
        Existing::Keep => temporary.persist_noclobber(path),
        Existing::Replace => temporary.persist(path),
    };
    kept.map_err(|e| e.error).with_context(cannot_write)?;
    Ok(result)
}

/// An error if `path` exists and is to be kept.
pub fn refuse_existing(path: &Path, existing: Existing) -> anyhow::Result<()> {
    if existing == Existing::Keep && path.is_file() {
        bail!("{} exists; give --force to replace it", path.display());
    }
    Ok(())
}

fn fill_and_flush<T>(
    file: &File,
    fill: impl FnOnce(&mut BufWriter<&File>) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let mut writer = BufWriter::with_capacity(1 << 20, file);
    let result = fill(&mut writer);
    match result {
        Ok(value) => {
            writer.flush()?;
            Ok(value)
        }
        Err(e) => {
            // What is buffered is of no use any more.
            let _ = writer.into_parts();
            Err(e)
        }
    }
}

/// Temporary files are made for their owner alone; a result is for everyone to read.
#[cfg(unix)]
fn make_readable(file: &File) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    file.set_permissions(fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn make_readable(_: &File) -> std::io::Result<()> {
    Ok(())
}
