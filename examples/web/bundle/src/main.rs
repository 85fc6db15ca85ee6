//! `bundle MODULE.wasm FOLDER`: the module and its JavaScript, as an ES module.

use std::path::PathBuf;

use anyhow::Context as _;
use wasm_bindgen_cli_support::Bindgen;

fn main() -> anyhow::Result<()> {
    let mut args = std::env::args_os().skip(1).map(PathBuf::from);
    let (module, folder) = args.next().zip(args.next()).context("bundle MODULE.wasm FOLDER")?;
    Bindgen::new()
        .input_path(module)
        .web(true)?
        .typescript(false)
        .omit_default_module_path(false)
        .generate(folder)
}
