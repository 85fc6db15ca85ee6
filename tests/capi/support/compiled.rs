//! C programs: the library built as a user would, compilers, what programs print.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

pub const STRICT: [&str; 4] = ["-Wall", "-Wextra", "-pedantic", "-Werror"];
/// What Rust's standard library needs.
const SYSTEM: [&str; 3] = ["-lpthread", "-ldl", "-lm"];

pub fn succeeds(command: &mut Command) -> String {
    let output = command.current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    assert!(output.status.success(), "{command:?}\n{}", errors(&output));
    String::from_utf8(output.stdout).unwrap()
}

pub fn errors(output: &Output) -> String {
    format!("{}\n{}", output.status, String::from_utf8_lossy(&output.stderr))
}

/// The folder of the libraries, static and shared, once built: as `docs/C.md` says.
pub fn libraries() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("capi");
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["rustc", "--profile", "capi", "--lib", "--features", "capi"]);
        cargo.args(["--crate-type", "staticlib,cdylib", "--target-dir"]).arg(&target);
        succeeds(&mut cargo);
        target.join("capi")
    })
}

/// Compiles a C or C++ file to a program of its own.
pub fn compile(compiler: &str, source: &Path, flags: &[&str], library: &[&str]) -> PathBuf {
    static PROGRAMS: AtomicUsize = AtomicUsize::new(0);
    let number = PROGRAMS.fetch_add(1, Ordering::Relaxed);
    let name = source.file_stem().unwrap().to_str().unwrap();
    let program = libraries().join(format!("{name}.{}.{number}", env!("CARGO_CRATE_NAME")));
    let mut command = Command::new(compiler);
    command.args(STRICT).args(["-g", "-O1", "-Iinclude"]).args(flags);
    command.arg(source).args(library).args(SYSTEM).arg("-o").arg(&program);
    succeeds(&mut command);
    program
}

pub fn static_library() -> String {
    libraries().join("libxielu.a").to_str().unwrap().to_owned()
}
