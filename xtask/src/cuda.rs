//! CUDA without a device: every kernel assembled for every architecture without spills, the PTX
//! compared with its sources, and the device's side of the tests on a driver that pretends.

use crate::shell::{Result, program, root, target};
use crate::tools::all_there;

pub fn run() -> Result {
    if !all_there("CUDA", &[("python", "python3"), ("cc", "g++")])? {
        return Ok(());
    }
    let tools = root().join("kernels-cuda/tools");
    program(tools.join("ptx.sh")).arg(target("cuda-tools")).arg("--check").run()?;
    program(tools.join("pretended.sh")).run()?;
    // Whole models, against the CPU. With the features of all tests, nothing is compiled again.
    for test in [&["cuda"][..], &["cli", "device::"]] {
        let cargo = ["cargo", "test", "--workspace", "--all-features", "--test"];
        program(tools.join("pretended.sh")).args(cargo.iter().chain(test)).run()?;
    }
    Ok(())
}
