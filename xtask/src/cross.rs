//! Compilers for other targets than this machine.

use std::path::{Path, PathBuf};

use crate::shell::{Result, Shell, sh, target};
use crate::tools::skip;

/// A compiler with the library's source.
const FROM_SOURCE: &str = "/usr/bin/rustc";

/// How to build for a target.
pub struct Toolchain {
    target: String,
    /// Whether Rust's library is built from its source.
    from_source: bool,
}

impl Toolchain {
    /// The toolchain for a target, or `what` is skipped: rustup's where it has the target, or a
    /// compiler that can build the library.
    pub fn find(target: &str, what: &str) -> Result<Option<Toolchain>> {
        if sysroot("rustc")?.join("lib/rustlib").join(target).join("lib").exists() {
            return Ok(Some(Toolchain::installed(target)));
        }
        let source = "lib/rustlib/src/rust/library/core";
        if Path::new(FROM_SOURCE).exists() && sysroot(FROM_SOURCE)?.join(source).exists() {
            return Ok(Some(Toolchain { target: target.into(), from_source: true }));
        }
        let what = format!("{what} on {target}");
        skip("rust-std", &what, &format!("rustup target add {target}"))?;
        Ok(None)
    }

    /// rustup's, which has the target.
    pub fn installed(target: impl Into<String>) -> Toolchain {
        Toolchain { target: target.into(), from_source: false }
    }

    pub fn target(&self) -> &str {
        &self.target
    }

    pub fn is_from_source(&self) -> bool {
        self.from_source
    }

    /// A command of cargo for the target; `std` are the parts of the library that it needs, and
    /// `arguments` come before those of cargo's subcommand.
    pub fn cargo(&self, arguments: &str, std: &str) -> Shell {
        let shell = sh(&format!("cargo {arguments} --target {}", self.target));
        let shell = if self.from_source { shell.args(std.split_whitespace()) } else { shell };
        self.compiler(shell).env("CARGO_TARGET_DIR", target("cross"))
    }

    /// A script that builds for the target by itself, with the flags in `CARGOFLAGS`.
    pub fn script(&self, shell: Shell, std: &str) -> Shell {
        self.compiler(shell).env("CARGOFLAGS", if self.from_source { std } else { "" })
    }

    /// A program that calls cargo without a way to give it flags; `std` as in `std,panic_abort`.
    pub fn environment(&self, shell: Shell, std: &str) -> Shell {
        let shell = self.compiler(shell).env("CARGO_BUILD_TARGET", &self.target);
        if self.from_source { shell.env("CARGO_UNSTABLE_BUILD_STD", std) } else { shell }
    }

    fn compiler(&self, shell: Shell) -> Shell {
        if !self.from_source {
            return shell;
        }
        shell
            .env("RUSTC", FROM_SOURCE)
            .env("RUSTDOC", "/usr/bin/rustdoc")
            .env("RUSTC_BOOTSTRAP", "1")
    }
}

fn sysroot(rustc: &str) -> Result<PathBuf> {
    Ok(PathBuf::from(sh(rustc).args(["--print", "sysroot"]).read()?))
}

/// This machine's target.
pub fn host() -> Result<String> {
    let version = sh("rustc -vV").read()?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).ok_or("rustc -vV names no host".into())
}

/// The linker that comes with rustup's compiler and knows every target.
pub fn rust_lld() -> Result<PathBuf> {
    Ok(sysroot("rustc")?.join("lib/rustlib").join(host()?).join("bin/rust-lld"))
}

/// The variable that names the linker, or the runner, or the flags of a target.
pub fn variable(target: &str, what: &str) -> String {
    format!("CARGO_TARGET_{}_{what}", target.replace(['-', '.'], "_").to_uppercase())
}

#[cfg(test)]
mod tests {
    use super::variable;

    #[test]
    fn variables_as_cargo_spells_them() {
        let linker = variable("thumbv8m.main-none-eabihf", "LINKER");
        assert_eq!(linker, "CARGO_TARGET_THUMBV8M_MAIN_NONE_EABIHF_LINKER");
    }
}
