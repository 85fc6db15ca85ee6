//! Files that one process holds at a time. The operating system lets go of them when a process
//! ends, however it ends: what nobody holds is left over.

use std::ffi::OsString;
use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// The temporary name of what is to be called `path`: beside it, hidden.
///
/// # Errors
/// If `path` ends in no name.
pub(crate) fn temporary_name(path: &Path) -> io::Result<PathBuf> {
    let name = path.file_name().ok_or(ErrorKind::InvalidInput)?;
    let mut temporary = OsString::from(".");
    temporary.push(name);
    temporary.push(".tmp");
    Ok(path.with_file_name(temporary))
}

/// Whether `name` is one that [`temporary_name`] makes.
#[cfg(feature = "train")]
pub(crate) fn is_temporary(name: &Path) -> bool {
    let name = name.as_os_str().as_encoded_bytes();
    name.starts_with(b".") && name.ends_with(b".tmp")
}

/// Makes a file that was not there and holds it. What a process that is no more has left under
/// the name is removed first.
///
/// # Errors
/// [`ErrorKind::ResourceBusy`] if another process (or thread) writes it, and those of the file
/// system.
pub(crate) fn create(path: &Path) -> io::Result<File> {
    let make = || File::options().write(true).create_new(true).open(path);
    create_with(path, make, |path| fs::remove_file(path))
}

/// As [`create`], a directory. Where directories cannot be opened as files nobody holds it.
///
/// # Errors
/// As [`create`].
#[cfg(feature = "train")]
pub(crate) fn create_dir(path: &Path) -> io::Result<Option<File>> {
    let make = || {
        fs::create_dir(path)?;
        if cfg!(unix) { File::open(path).map(Some) } else { Ok(None) }
    };
    create_with(path, make, |path| fs::remove_dir_all(path))
}

/// What can be held.
trait Handle {
    fn file(&self) -> Option<&File>;
}

impl Handle for File {
    fn file(&self) -> Option<&File> {
        Some(self)
    }
}

impl Handle for Option<File> {
    fn file(&self) -> Option<&File> {
        self.as_ref()
    }
}

fn create_with<H: Handle>(
    path: &Path,
    make: impl Fn() -> io::Result<H>,
    remove: impl Fn(&Path) -> io::Result<()>,
) -> io::Result<H> {
    // Again if another process takes it for left over before it is held, or removes it first.
    for _ in 0..8 {
        match make() {
            Ok(made) => match made.file() {
                Some(file) if !(hold(file) && is_at(file, path)) => {}
                _ => return Ok(made),
            },
            Err(e) if e.kind() == ErrorKind::AlreadyExists => clear(path, &remove)?,
            Err(e) => return Err(e),
        }
    }
    Err(busy())
}

/// Removes a file or directory that no process holds.
///
/// # Errors
/// As [`create`].
#[cfg(feature = "train")]
pub(crate) fn clear_left_over(path: &Path) -> io::Result<()> {
    let is_dir = fs::symlink_metadata(path)?.is_dir();
    clear(path, &|path: &Path| {
        if is_dir { fs::remove_dir_all(path) } else { fs::remove_file(path) }
    })
}

fn clear(path: &Path, remove: &impl Fn(&Path) -> io::Result<()>) -> io::Result<()> {
    let gone = |e: io::Error| if e.kind() == ErrorKind::NotFound { Ok(()) } else { Err(e) };
    // Nothing is written to a file that is there, and a link is not followed.
    let kind = match fs::symlink_metadata(path) {
        Ok(found) => found.file_type(),
        Err(e) => return gone(e),
    };
    if !kind.is_file() && !kind.is_dir() {
        return remove(path).or_else(gone);
    }
    if kind.is_dir() && !cfg!(unix) {
        return remove(path).or_else(gone);
    }
    let file = match File::open(path) {
        Ok(file) => file,
        Err(e) => return gone(e),
    };
    match file.try_lock() {
        Ok(()) if is_at(&file, path) => remove(path).or_else(gone),
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => Err(busy()),
        Err(TryLockError::Error(e)) => {
            let problem = "is in the way, and no lock tells whether a process writes it; remove it";
            Err(io::Error::new(e.kind(), std::format!("{} {problem} ({e})", path.display())))
        }
    }
}

/// Takes the lock of a file; false if another has it. Where there are no locks nobody has.
pub(crate) fn hold(file: &File) -> bool {
    !matches!(file.try_lock(), Err(TryLockError::WouldBlock))
}

/// Whether `path` still names the open `file`.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let id = |m: fs::Metadata| (m.dev(), m.ino());
    let (open, named) = (file.metadata().map(id), fs::symlink_metadata(path).map(id));
    open.is_ok() && open.ok() == named.ok()
}

#[cfg(not(unix))]
fn is_at(_: &File, path: &Path) -> bool {
    path.exists()
}

fn busy() -> io::Error {
    io::Error::new(ErrorKind::ResourceBusy, "another process is writing it")
}

/// Writes a folder's list of names to the disk, where the system can.
pub(crate) fn sync_folder(folder: &Path) {
    // What cannot be synced, on some file systems and all of Windows, is as safe as it gets.
    if let Ok(folder) = File::open(folder) {
        let _ = folder.sync_all();
    }
}
