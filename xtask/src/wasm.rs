//! The kernels in WebAssembly, under Node.

use crate::cross::{Toolchain, rust_lld, variable};
use crate::shell::{Result, root};
use crate::tools::all_there;

const TARGET: &str = "wasm32-wasip1";
const LIBC: &str = "/usr/lib/wasm32-wasi";

pub fn run() -> Result {
    let what = "tests in WebAssembly";
    if !all_there(what, &[("node", "node")])? {
        return Ok(());
    }
    let Some(toolchain) = Toolchain::find(TARGET, what)? else { return Ok(()) };
    let mut flags = String::from("-Ctarget-feature=+simd128");
    // rustup's target brings its own libc.
    if toolchain.is_from_source() {
        if !all_there(what, &[("wasi-libc", LIBC)])? {
            return Ok(());
        }
        flags += &format!(
            " -Clink-self-contained=no -Clink-arg=-L{LIBC} -Clink-arg={LIBC}/crt1-command.o \
             -Clink-arg=--allow-undefined"
        );
    }
    let runner = format!("node --no-warnings {}", root().join(".ci/wasi.mjs").display());
    toolchain
        .cargo(
            "test -p xielu-kernels-simd --lib --no-fail-fast",
            "-Zbuild-std=std,panic_abort,test",
        )
        .env(&variable(TARGET, "LINKER"), rust_lld()?)
        .env(&variable(TARGET, "RUNNER"), runner)
        .env(&variable(TARGET, "RUSTFLAGS"), flags)
        .run()
}
