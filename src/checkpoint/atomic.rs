//! Files that appear whole or not at all.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

/// A file written under a temporary name beside its destination. [`AtomicFile::commit`] moves
/// it there; dropped before that, it is removed and the destination is as it was.
///
/// A destination that exists and is no regular file (a device, a pipe) is written directly.
#[derive(Debug)]
pub struct AtomicFile {
    sink: Sink,
}

#[derive(Debug)]
enum Sink {
    Temporary(BufWriter<NamedTempFile>, PathBuf),
    Direct(BufWriter<File>),
}

impl AtomicFile {
    /// Begins a file that is to be at `path`.
    ///
    /// # Errors
    /// If the folder does not exist or may not be written to.
    pub fn create(path: impl AsRef<Path>) -> io::Result<Self> {
        let path = path.as_ref();
        let sink = match fs::metadata(path) {
            Ok(found) if !found.is_file() => {
                Sink::Direct(BufWriter::new(File::options().write(true).open(path)?))
            }
            // Through a symbolic link, the file it points to is replaced, not the link.
            Ok(_) => Self::beside(fs::canonicalize(path)?)?,
            Err(_) => Self::beside(path.into())?,
        };
        Ok(AtomicFile { sink })
    }

    /// Writes a whole file.
    ///
    /// # Errors
    /// As [`AtomicFile::create`] and [`AtomicFile::commit`].
    pub fn write(path: impl AsRef<Path>, bytes: &[u8]) -> io::Result<()> {
        let mut file = AtomicFile::create(path)?;
        file.write_all(bytes)?;
        file.commit()
    }

    fn beside(path: PathBuf) -> io::Result<Sink> {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let mut builder = tempfile::Builder::new();
        builder.prefix(".").suffix(".tmp");
        // The permissions of any new file, in place of the private ones of temporary files.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let file = builder.tempfile_in(folder.unwrap_or(Path::new(".")))?;
        Ok(Sink::Temporary(BufWriter::new(file), path))
    }

    /// Writes what is buffered to the disk and gives the file its name.
    ///
    /// # Errors
    /// Those of the file system, a full disk among them; the destination is then as it was.
    pub fn commit(self) -> io::Result<()> {
        match self.sink {
            Sink::Direct(mut file) => file.flush(),
            Sink::Temporary(buffered, path) => {
                let file = buffered.into_inner().map_err(|e| e.into_error())?;
                file.as_file().sync_all()?;
                file.persist(path).map_err(|e| e.error)?;
                Ok(())
            }
        }
    }
}

impl Write for AtomicFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.sink {
            Sink::Temporary(file, _) => file.write(bytes),
            Sink::Direct(file) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.sink {
            Sink::Temporary(file, _) => file.flush(),
            Sink::Direct(file) => file.flush(),
        }
    }
}
