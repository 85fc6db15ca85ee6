//! One process at a time works in the directory of a run.

use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::string::{String, ToString as _};
use std::vec::Vec;

use super::TrainError;
use crate::checkpoint::lock;

/// The file that is held. It stays: a file that is removed could be held twice.
const NAME: &str = "run.lock";

/// The directory of a run, held until this is dropped or the process ends, however it ends.
#[derive(Debug)]
pub struct RunLock {
    _file: File,
}

impl RunLock {
    /// Whether an entry of a run's directory is the lock.
    pub fn is_lock(name: &std::ffi::OsStr) -> bool {
        name == NAME
    }

    /// Holds the directory `dir`, which exists, and removes what a process that was killed has
    /// left half-written in it: in `dir` itself, `checkpoints`, `data` and what is in that.
    ///
    /// # Errors
    /// [`TrainError::InUse`] if a process holds it, and those of the file system.
    pub fn take(dir: &Path) -> Result<Self, TrainError> {
        let path = dir.join(NAME);
        let io = |source| TrainError::Io { path: path.clone(), source };
        let mut options = File::options();
        let options = options.read(true).write(true).create(true).truncate(false);
        let mut file = options.open(&path).map_err(io)?;
        if !lock::hold(&file) {
            let mut text = String::new();
            // Where a locked file cannot be read the process stays unnamed.
            let _ = file.read_to_string(&mut text);
            return Err(TrainError::InUse { dir: dir.into(), process: text.trim().parse().ok() });
        }
        let id = std::process::id().to_string();
        file.set_len(0).and_then(|()| file.rewind()).map_err(io)?;
        file.write_all(id.as_bytes()).and_then(|()| file.flush()).map_err(io)?;
        for folder in folders(dir) {
            remove_left_overs(&folder)
                .map_err(|source| TrainError::Io { path: folder.clone(), source })?;
        }
        Ok(RunLock { _file: file })
    }
}

/// Where a run writes files.
fn folders(dir: &Path) -> Vec<PathBuf> {
    let data = dir.join("data");
    let parts = fs::read_dir(&data).into_iter().flatten().flatten().map(|entry| entry.path());
    let parts = parts.filter(|path| path.is_dir() && !lock::is_temporary(path));
    let mut folders: Vec<_> = parts.collect();
    folders.extend([dir.to_path_buf(), dir.join("checkpoints"), data]);
    folders
}

fn remove_left_overs(folder: &Path) -> io::Result<()> {
    let entries = match fs::read_dir(folder) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        if lock::is_temporary(Path::new(&entry.file_name())) {
            lock::clear_left_over(&entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_held_once_and_swept() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data/train");
        fs::create_dir_all(&data).unwrap();
        fs::create_dir(dir.path().join("checkpoints")).unwrap();
        fs::create_dir(dir.path().join(".model.tmp")).unwrap();
        for left in [
            ".model.tmp/config.json",
            ".loss.svg.tmp",
            "checkpoints/.step-0000000003.safetensors.tmp",
            "checkpoints/.aB3xYz.tmp",
            "data/.tokenizer.json.tmp",
            "data/train/.tokens-00000.bin.tmp",
        ] {
            fs::write(dir.path().join(left), "half").unwrap();
        }
        for kept in ["config.toml", "checkpoints/step-0000000002.safetensors", "notes.tmp"] {
            fs::write(dir.path().join(kept), "whole").unwrap();
        }
        let held = RunLock::take(dir.path()).unwrap();
        let count = |folder: &Path| fs::read_dir(folder).unwrap().count();
        // The lock, the configuration, the notes, checkpoints and data.
        assert_eq!(count(dir.path()), 5);
        assert_eq!((count(&dir.path().join("checkpoints")), count(&data)), (1, 0));
        let error = RunLock::take(dir.path()).unwrap_err();
        let TrainError::InUse { process, .. } = &error else { panic!("{error}") };
        assert_eq!(*process, Some(std::process::id()));
        assert!(error.to_string().contains(&std::process::id().to_string()), "{error}");
        drop(held);
        RunLock::take(dir.path()).unwrap();
    }
}
