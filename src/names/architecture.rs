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
    pub(crate) const ALL: [Self; 3] = [Self::Apertus, Self::Llama, Self::XieluLlama];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Architecture::Apertus => "apertus",
            Architecture::Llama => "llama",
            Architecture::XieluLlama => "xielu-llama",
        }
    }
}
