//! Readers, encoders and the scalar kernels where bytes have the other order: emulated s390x.

use crate::cross::{Toolchain, variable};
use crate::shell::Result;
use crate::tools::all_there;

const TARGET: &str = "s390x-unknown-linux-gnu";

/// Those of the tests that read, write and compute from bytes of files.
const TESTS: &[&str] = &[
    "activation_vectors",
    "bpe",
    "decoder",
    "gguf_fixtures",
    "gguf_hostile",
    "gguf_model",
    "gguf_split",
    "gguf_writer",
    "golden",
    "hf_bad_input",
    "hf_dir",
    "hf_quantized",
    "mlp",
    "quant_convert",
    "quant_encode",
    "quant_k_encode",
    "tokenizer_variants",
];

pub fn run(arguments: &[String]) -> Result {
    let what = "tests on s390x";
    let tools = [("s390x-gcc", "s390x-linux-gnu-gcc"), ("qemu", "qemu-s390x")];
    if !all_there(what, &tools)? {
        return Ok(());
    }
    let Some(toolchain) = Toolchain::find(TARGET, what)? else { return Ok(()) };
    let packages = "-p xielu-kernels-simd -p xielu --features safetensors,tokenizer";
    let test = toolchain.cargo(&format!("test {packages} --no-fail-fast"), "-Zbuild-std");
    let test = if arguments.is_empty() {
        test.arg("--lib").args(TESTS.iter().flat_map(|name| ["--test", name]))
    } else {
        test.args(arguments)
    };
    test.env("XIELU_SUM_ELEMENTS", "100000")
        .env(&variable(TARGET, "LINKER"), "s390x-linux-gnu-gcc")
        .env(&variable(TARGET, "RUNNER"), "qemu-s390x -L /usr/s390x-linux-gnu")
        .run()
}
