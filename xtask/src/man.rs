//! The manual pages of the command, which it writes itself.

use crate::shell::{Result, sh, target};

pub fn run() -> Result {
    let folder = target("man");
    let run = sh("cargo run -q --release --features cli --bin xielu -- man");
    run.arg(&folder).run()?;
    println!("manual pages in {}", folder.display());
    Ok(())
}
