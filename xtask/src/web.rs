//! The page in headless Chromium, beside the command that the tests build.

use crate::cross::{Toolchain, rust_lld, variable};
use crate::shell::{Result, program, root, sh, target};
use crate::tools::all_there;

const TARGET: &str = "wasm32-unknown-unknown";

pub fn run() -> Result {
    let what = "page in a browser";
    let tools = [("node", "node"), ("chromium", "chromium"), ("chromium", "chromedriver")];
    if !all_there(what, &tools)? {
        return Ok(());
    }
    let Some(toolchain) = Toolchain::find(TARGET, what)? else { return Ok(()) };
    // With the features of the tests there is nothing to do after them.
    sh("cargo build --workspace --all-features --bin xielu").run()?;
    let page = target("web");
    let build = program(root().join("examples/web/build.sh")).arg(&page);
    toolchain
        .script(build, "-Zbuild-std=std,panic_abort")
        .env(&variable(TARGET, "LINKER"), rust_lld()?)
        .run()?;
    sh("node examples/web/test/page.test.mjs")
        .env("PAGE", &page)
        .env("XIELU", target("debug/xielu"))
        .run()
}
