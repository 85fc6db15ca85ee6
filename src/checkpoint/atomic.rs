//! Files that appear whole or not at all.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use super::lock;

/// A file written under a temporary name beside its destination, `.NAME.tmp`.
/// [`AtomicFile::commit`] moves it there; dropped before that, it is removed and the destination
/// is as it was. One process at a time writes a destination; what a process that was killed has
/// left is removed by the next that does.
///
/// A destination that exists and is no regular file (a device, a pipe) is written directly.
#[derive(Debug)]
pub struct AtomicFile {
    sink: Sink,
}

#[derive(Debug)]
enum Sink {
    Temporary(Temporary),
    Direct(BufWriter<File>),
}

/// A file that is not yet where it is to be.
#[derive(Debug)]
struct Temporary {
    file: BufWriter<File>,
    path: PathBuf,
    destination: PathBuf,
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // After a commit nothing is there, or what another process writes by now and holds.
        if !self.path.as_os_str().is_empty() {
            let _ = fs::remove_file(&self.path);
        }
    }
}

impl Temporary {
    fn create(destination: PathBuf) -> io::Result<Self> {
        let path = lock::temporary_name(&destination)?;
        let file = BufWriter::new(lock::create(&path)?);
        Ok(Temporary { file, path, destination })
    }

    fn commit(mut self) -> io::Result<()> {
        self.file.flush()?;
        self.file.get_ref().sync_all()?;
        fs::rename(&self.path, &self.destination)?;
        self.path = PathBuf::new();
        let folder = self.destination.parent().filter(|folder| !folder.as_os_str().is_empty());
        lock::sync_folder(folder.unwrap_or(Path::new(".")));
        Ok(())
    }
}

impl AtomicFile {
    /// Begins a file that is to be at `path`.
    ///
    /// # Errors
    /// If the folder does not exist or may not be written to;
    /// [`ResourceBusy`](io::ErrorKind::ResourceBusy) if another process (or another part of this
    /// one) is writing the file.
    pub fn create(path: impl AsRef<Path>) -> io::Result<Self> {
        let path = path.as_ref();
        let sink = match fs::metadata(path) {
            Ok(found) if !found.is_file() => {
                Sink::Direct(BufWriter::new(File::options().write(true).open(path)?))
            }
            // Through a symbolic link, the file it points to is replaced, not the link.
            Ok(_) => Sink::Temporary(Temporary::create(fs::canonicalize(path)?)?),
            Err(_) => Sink::Temporary(Temporary::create(path.into())?),
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

    /// Writes what is buffered to the disk and gives the file its name.
    ///
    /// # Errors
    /// Those of the file system, a full disk among them; the destination is then as it was.
    pub fn commit(self) -> io::Result<()> {
        match self.sink {
            Sink::Direct(mut file) => file.flush(),
            Sink::Temporary(temporary) => temporary.commit(),
        }
    }
}

impl Write for AtomicFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.sink {
            Sink::Temporary(temporary) => temporary.file.write(bytes),
            Sink::Direct(file) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.sink {
            Sink::Temporary(temporary) => temporary.file.flush(),
            Sink::Direct(file) => file.flush(),
        }
    }
}
