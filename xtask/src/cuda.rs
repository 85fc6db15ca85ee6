//! CUDA without a device: every kernel assembled for every architecture without spills, the PTX
//! compared with its sources, and the device's side of the tests on a driver that pretends.

use crate::shell::{Result, sh};
use crate::tools::all_there;

pub fn run() -> Result {
    if !all_there("CUDA", &[("python", "python3"), ("cc", "g++")])? {
        return Ok(());
    }
    sh("kernels-cuda/tools/ptx.sh target/cuda-tools --check").run()?;
    sh("kernels-cuda/tools/pretended.sh").run()
}
