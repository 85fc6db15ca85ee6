//! The architectures of GGUF files.

/// The architectures this library runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Architecture {
    /// Swiss AI's Apertus: xIELU and QK-norm.
    Apertus,
    /// Llama: SwiGLU.
    Llama,
    /// What no other architecture covers: keys say which activation and which RoPE.
    XieluLlama,
}

impl Architecture {
    xielu_kernels_simd::every_variant! {
        pub(crate) const ALL: Architecture = [Apertus, Llama, XieluLlama];
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Architecture::Apertus => "apertus",
            Architecture::Llama => "llama",
            Architecture::XieluLlama => "xielu-llama",
        }
    }
}
