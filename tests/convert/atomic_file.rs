//! Files appear whole or not at all.

use std::fs;
use std::io::Write;
use std::path::Path;

use xielu::checkpoint::AtomicFile;

fn entries(folder: &Path) -> usize {
    fs::read_dir(folder).unwrap().count()
}

#[test]
fn the_destination_appears_on_commit() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.gguf");
    let mut file = AtomicFile::create(&path).unwrap();
    file.write_all(b"new").unwrap();
    assert!(!path.exists());
    file.commit().unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"new");
    assert_eq!(entries(folder.path()), 1);
}

#[test]
fn nothing_is_left_of_an_abandoned_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.gguf");
    fs::write(&path, "old").unwrap();
    let mut file = AtomicFile::create(&path).unwrap();
    file.write_all(&[1; 100_000]).unwrap();
    assert_eq!(entries(folder.path()), 2);
    drop(file);
    assert_eq!(entries(folder.path()), 1);
    assert_eq!(fs::read(&path).unwrap(), b"old");
}

#[test]
fn a_folder_that_is_missing_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    AtomicFile::create(folder.path().join("no/such/model.gguf")).unwrap_err();
    AtomicFile::create(folder.path()).unwrap_err();
    assert_eq!(entries(folder.path()), 0);
}

#[cfg(unix)]
#[test]
fn links_and_permissions_are_those_of_an_ordinary_file() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let folder = tempfile::tempdir().unwrap();
    let [target, link, plain] = ["target", "link", "plain"].map(|n| folder.path().join(n));
    fs::write(&target, "old").unwrap();
    symlink(&target, &link).unwrap();
    let mut file = AtomicFile::create(&link).unwrap();
    file.write_all(b"new").unwrap();
    file.commit().unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(fs::read(&target).unwrap(), b"new");
    fs::write(&plain, "").unwrap();
    let mode = |path| fs::metadata(path).unwrap().permissions().mode();
    assert_eq!(mode(&target), mode(&plain));
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_reported_and_a_device_is_not_replaced() {
    use std::io::ErrorKind;
    use std::os::unix::fs::FileTypeExt;
    let mut file = AtomicFile::create("/dev/full").unwrap();
    let written = file.write_all(&[0; 100_000]).and_then(|()| file.commit());
    assert_eq!(written.unwrap_err().kind(), ErrorKind::StorageFull);
    let mut file = AtomicFile::create("/dev/full").unwrap();
    file.write_all(b"small enough to be buffered").unwrap();
    assert_eq!(file.commit().unwrap_err().kind(), ErrorKind::StorageFull);
    assert!(fs::metadata("/dev/full").unwrap().file_type().is_char_device());
}

#[test]
fn one_writer_at_a_time_and_nothing_is_left_of_a_killed_one() {
    let folder = tempfile::tempdir().unwrap();
    let [path, left] = ["model.gguf", ".model.gguf.tmp"].map(|n| folder.path().join(n));
    // A process that was killed leaves this, and no process holds it.
    fs::write(&left, "half").unwrap();
    let mut first = AtomicFile::create(&path).unwrap();
    first.write_all(b"first").unwrap();
    let busy = AtomicFile::create(&path).unwrap_err();
    assert_eq!(busy.kind(), std::io::ErrorKind::ResourceBusy);
    assert!(busy.to_string().contains("another process is writing it"), "{busy}");
    AtomicFile::write(folder.path().join("other"), b"").unwrap();
    first.commit().unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"first");
    assert_eq!(entries(folder.path()), 2);
    AtomicFile::write(&path, b"second").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"second");
}

/// A link under the temporary name is removed, not followed.
#[cfg(unix)]
#[test]
fn a_planted_link_is_not_written_through() {
    let folder = tempfile::tempdir().unwrap();
    let [path, link, victim] =
        ["model.gguf", ".model.gguf.tmp", "victim"].map(|n| folder.path().join(n));
    fs::write(&victim, "precious").unwrap();
    std::os::unix::fs::symlink(&victim, &link).unwrap();
    AtomicFile::write(&path, b"new").unwrap();
    assert_eq!(fs::read(&victim).unwrap(), b"precious");
    assert_eq!(fs::read(&path).unwrap(), b"new");
    assert_eq!(entries(folder.path()), 2);
}

/// Many at once: each fails or writes all of its bytes, and the file is always one of theirs.
#[test]
fn racing_writers_leave_one_whole_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.gguf");
    let written: usize = std::thread::scope(|scope| {
        let threads = [1u8, 2, 3, 4].map(|id| {
            let path = &path;
            scope.spawn(move || {
                (0..200).filter(|_| AtomicFile::write(path, &[id; 5000]).is_ok()).count()
            })
        });
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert!(written > 0);
    let bytes = fs::read(&path).unwrap();
    assert!(bytes.len() == 5000 && bytes.iter().all(|b| *b == bytes[0]));
    assert_eq!(entries(folder.path()), 1);
}
