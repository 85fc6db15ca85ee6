//! Every kernel by name.

use xielu_kernels_simd::ActivationKind;

use crate::{DType, Error};

/// The least compute capability that the kernels run on, as 10 * major + minor.
pub(crate) const OLDEST_DEVICE: u32 = 75;

/// Defines [`Kernel`]: each line is a file in `cuda/` and `ptx/`, and its entry points.
macro_rules! kernels {
    ($($variant:ident $stem:literal [$($entry:literal),+],)+) => {
        /// A source file; those with three entry points have one for each storage type.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[doc(hidden)]
        #[allow(non_camel_case_types)] // GGUF's names
        #[repr(usize)]
        pub enum Kernel {
            $(
                #[doc = $stem]
                $variant,
            )+
        }

        impl Kernel {
            /// All of them, in order.
            pub const ALL: &[Kernel] = &[$(Kernel::$variant),+];

            /// The PTX that holds it.
            pub const fn ptx(self) -> &'static str {
                match self {
                    $(Kernel::$variant => {
                        include_str!(concat!("../ptx/", $stem, ".ptx"))
                    })+
                }
            }

            /// The names of its entry points.
            pub const fn entries(self) -> &'static [&'static str] {
                match self {
                    $(Kernel::$variant => &[$($entry),+],)+
                }
            }

            /// The name of its file.
            pub const fn stem(self) -> &'static str {
                match self {
                    $(Kernel::$variant => $stem,)+
                }
            }
        }
    };
}

kernels! {
    XieluForward "xielu_forward"
        ["xielu_forward_f32", "xielu_forward_bf16", "xielu_forward_f16"],
    XipreluForward "xiprelu_forward"
        ["xiprelu_forward_f32", "xiprelu_forward_bf16", "xiprelu_forward_f16"],
    Relu2Forward "relu2_forward"
        ["relu2_forward_f32", "relu2_forward_bf16", "relu2_forward_f16"],
    SwigluForward "swiglu_forward"
        ["swiglu_forward_f32", "swiglu_forward_bf16", "swiglu_forward_f16"],
    XieluQ8_0 "xielu_q8_0" ["xielu_q8_0_f32", "xielu_q8_0_bf16", "xielu_q8_0_f16"],
    XipreluQ8_0 "xiprelu_q8_0"
        ["xiprelu_q8_0_f32", "xiprelu_q8_0_bf16", "xiprelu_q8_0_f16"],
    Relu2Q8_0 "relu2_q8_0" ["relu2_q8_0_f32", "relu2_q8_0_bf16", "relu2_q8_0_f16"],
    SwigluQ8_0 "swiglu_q8_0" ["swiglu_q8_0_f32", "swiglu_q8_0_bf16", "swiglu_q8_0_f16"],
    XieluBackward "xielu_backward"
        ["xielu_backward_f32", "xielu_backward_bf16", "xielu_backward_f16"],
    XipreluBackward "xiprelu_backward"
        ["xiprelu_backward_f32", "xiprelu_backward_bf16", "xiprelu_backward_f16"],
    Relu2Backward "relu2_backward"
        ["relu2_backward_f32", "relu2_backward_bf16", "relu2_backward_f16"],
    SwigluBackward "swiglu_backward"
        ["swiglu_backward_f32", "swiglu_backward_bf16", "swiglu_backward_f16"],
    RmsNorm "rms_norm" ["rms_norm"],
    RopeStore "rope_store"
        ["rope_store_f32", "rope_store_bf16", "rope_store_f16", "rope_store_q8_0"],
    Attend "attend"
        ["attend_f32", "attend_bf16", "attend_f16", "attend_q8_0", "attend_combine"],
    Embed "embed"
        ["embed_f32", "embed_bf16", "embed_f16", "embed_q8_0", "embed_q4_0", "embed_q4_k",
         "embed_q6_k"],
    Argmax "argmax" ["argmax"],
    AlphaGradients "alpha_gradients" ["alpha_gradients"],
    Freeze "freeze" ["freeze"],
    Quantize "quantize" [
        "quantize", "quantize_xielu", "quantize_xiprelu", "quantize_relu2", "quantize_swiglu"
    ],
    GemvQ8_0 "gemv_q8_0" ["gemv_1_q8_0", "gemv_4_q8_0", "repack_q8_0", "repack_q8_1"],
    GemvQ4_0 "gemv_q4_0" ["gemv_1_q4_0", "gemv_4_q4_0", "repack_q4_0"],
    GemvQ4_1 "gemv_q4_1" ["gemv_1_q4_1", "gemv_4_q4_1", "repack_q4_1"],
    GemvQ5_0 "gemv_q5_0" ["gemv_1_q5_0", "gemv_4_q5_0", "repack_q5_0"],
    GemvQ5_1 "gemv_q5_1" ["gemv_1_q5_1", "gemv_4_q5_1", "repack_q5_1"],
    GemvQ4_K "gemv_q4_k" ["gemv_1_q4_k", "gemv_4_q4_k", "repack_q4_k"],
    GemvQ5_K "gemv_q5_k" ["gemv_1_q5_k", "gemv_4_q5_k", "repack_q5_k"],
    GemvQ6_K "gemv_q6_k" ["gemv_1_q6_k", "gemv_4_q6_k", "repack_q6_k"],
    GemvI8 "gemv_i8" ["gemv_1_i8", "gemv_4_i8", "repack_i8"],
    MmaQ8_0 "mma_q8_0" ["mma_8_q8_0", "mma_16_q8_0", "prompt_q8_0"],
    MmaQ4_0 "mma_q4_0" ["mma_8_q4_0", "mma_16_q4_0", "prompt_q4_0"],
    MmaQ4_1 "mma_q4_1" ["mma_8_q4_1", "mma_16_q4_1", "prompt_q4_1"],
    MmaQ5_0 "mma_q5_0" ["mma_8_q5_0", "mma_16_q5_0", "prompt_q5_0"],
    MmaQ5_1 "mma_q5_1" ["mma_8_q5_1", "mma_16_q5_1", "prompt_q5_1"],
    MmaQ4_K "mma_q4_k" ["mma_8_q4_k", "mma_16_q4_k", "prompt_q4_k"],
    MmaQ5_K "mma_q5_k" ["mma_8_q5_k", "mma_16_q5_k", "prompt_q5_k"],
    MmaQ6_K "mma_q6_k" ["mma_8_q6_k", "mma_16_q6_k", "prompt_q6_k"],
    MmaI8 "mma_i8" ["mma_8_i8", "mma_16_i8", "prompt_i8"],
    GemvF32 "gemv_f32" ["gemv_1_f32", "gemv_2_f32", "gemv_4_f32", "gemv_8_f32"],
    GemvBF16 "gemv_bf16" ["gemv_1_bf16", "gemv_2_bf16", "gemv_4_bf16", "gemv_8_bf16"],
    GemvF16 "gemv_f16" ["gemv_1_f16", "gemv_2_f16", "gemv_4_f16", "gemv_8_f16"],
}

impl Kernel {
    /// The compute capability that it needs, as 10 * major + minor: that of `// target:` in its
    /// source, or the least that there is a kernel for.
    pub const fn capability(self) -> u32 {
        match self {
            Kernel::MmaQ8_0
            | Kernel::MmaQ4_0
            | Kernel::MmaQ4_1
            | Kernel::MmaQ5_0
            | Kernel::MmaQ5_1
            | Kernel::MmaQ4_K
            | Kernel::MmaQ5_K
            | Kernel::MmaQ6_K
            | Kernel::MmaI8 => 80,
            _ => OLDEST_DEVICE,
        }
    }
}

/// The kernels of a function of one value.
impl Kernel {
    pub(crate) const fn forward(kind: ActivationKind) -> Result<Kernel, Error> {
        match kind {
            ActivationKind::Xielu => Ok(Kernel::XieluForward),
            ActivationKind::Xiprelu => Ok(Kernel::XipreluForward),
            ActivationKind::Relu2 => Ok(Kernel::Relu2Forward),
            other => Err(Error::NoKernel(other)),
        }
    }

    pub(crate) const fn q8_0(kind: ActivationKind) -> Result<Kernel, Error> {
        match kind {
            ActivationKind::Xielu => Ok(Kernel::XieluQ8_0),
            ActivationKind::Xiprelu => Ok(Kernel::XipreluQ8_0),
            ActivationKind::Relu2 => Ok(Kernel::Relu2Q8_0),
            other => Err(Error::NoKernel(other)),
        }
    }

    pub(crate) const fn backward(kind: ActivationKind) -> Result<Kernel, Error> {
        match kind {
            ActivationKind::Xielu => Ok(Kernel::XieluBackward),
            ActivationKind::Xiprelu => Ok(Kernel::XipreluBackward),
            ActivationKind::Relu2 => Ok(Kernel::Relu2Backward),
            other => Err(Error::NoKernel(other)),
        }
    }
}

/// Which entry point of a kernel that has one for each storage type.
pub(crate) const fn entry_of(dtype: DType) -> usize {
    dtype as usize
}
