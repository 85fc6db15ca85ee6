//! The kernels compiled for the CPU, on host memory: what tests run where there is no GPU.
//!
//! The sources are those of the device, and so is everything above them in this crate; the grid
//! and the threads of a block are loops.

use std::ffi::c_void;
use std::ops::Range;

use crate::{Error, Kernel, Launch, Raw};

type Twin = unsafe extern "C" fn(first: u64, last: u64, blocks: u64, args: *const c_void);

/// Declares the entry points and a function that finds them.
macro_rules! twins {
    ($($variant:ident [$($entry:ident),+],)+) => {
        unsafe extern "C" {
            $($(#[link_name = concat!("twin_", stringify!($entry))]
            fn $entry(first: u64, last: u64, blocks: u64, args: *const c_void);)+)+
        }

        fn twins(kernel: Kernel) -> &'static [Twin] {
            match kernel {
                $(Kernel::$variant => &[$($entry),+],)+
            }
        }
    };
}

twins! {
    XieluForward [xielu_forward_f32, xielu_forward_bf16, xielu_forward_f16],
    XipreluForward [xiprelu_forward_f32, xiprelu_forward_bf16, xiprelu_forward_f16],
    Relu2Forward [relu2_forward_f32, relu2_forward_bf16, relu2_forward_f16],
    SwigluForward [swiglu_forward_f32, swiglu_forward_bf16, swiglu_forward_f16],
    XieluQ8_0 [xielu_q8_0_f32, xielu_q8_0_bf16, xielu_q8_0_f16],
    XipreluQ8_0 [xiprelu_q8_0_f32, xiprelu_q8_0_bf16, xiprelu_q8_0_f16],
    Relu2Q8_0 [relu2_q8_0_f32, relu2_q8_0_bf16, relu2_q8_0_f16],
    SwigluQ8_0 [swiglu_q8_0_f32, swiglu_q8_0_bf16, swiglu_q8_0_f16],
    XieluBackward [xielu_backward_f32, xielu_backward_bf16, xielu_backward_f16],
    XipreluBackward [xiprelu_backward_f32, xiprelu_backward_bf16, xiprelu_backward_f16],
    Relu2Backward [relu2_backward_f32, relu2_backward_bf16, relu2_backward_f16],
    SwigluBackward [swiglu_backward_f32, swiglu_backward_bf16, swiglu_backward_f16],
    RmsNorm [rms_norm],
    RopeStore [rope_store_f32, rope_store_bf16, rope_store_f16, rope_store_q8_0],
    Attend [attend_f32, attend_bf16, attend_f16, attend_q8_0, attend_combine],
    Embed [embed_f32, embed_bf16, embed_f16, embed_q8_0, embed_q4_0, embed_q4_k, embed_q6_k],
    Argmax [argmax],
    AlphaGradients [alpha_gradients],
    Freeze [freeze],
    Quantize [quantize, quantize_xielu, quantize_xiprelu, quantize_relu2, quantize_swiglu],
    GemvQ8_0 [gemv_1_q8_0, gemv_4_q8_0, repack_q8_0, repack_q8_1],
    GemvQ4_0 [gemv_1_q4_0, gemv_4_q4_0, repack_q4_0],
    GemvQ4_1 [gemv_1_q4_1, gemv_4_q4_1, repack_q4_1],
    GemvQ5_0 [gemv_1_q5_0, gemv_4_q5_0, repack_q5_0],
    GemvQ5_1 [gemv_1_q5_1, gemv_4_q5_1, repack_q5_1],
    GemvQ4_K [gemv_1_q4_k, gemv_4_q4_k, repack_q4_k],
    GemvQ5_K [gemv_1_q5_k, gemv_4_q5_k, repack_q5_k],
    GemvQ6_K [gemv_1_q6_k, gemv_4_q6_k, repack_q6_k],
    GemvI8 [gemv_1_i8, gemv_4_i8, repack_i8],
    MmaQ8_0 [mma_8_q8_0, mma_16_q8_0, prompt_q8_0],
    MmaQ4_0 [mma_8_q4_0, mma_16_q4_0, prompt_q4_0],
    MmaQ4_1 [mma_8_q4_1, mma_16_q4_1, prompt_q4_1],
    MmaQ5_0 [mma_8_q5_0, mma_16_q5_0, prompt_q5_0],
    MmaQ5_1 [mma_8_q5_1, mma_16_q5_1, prompt_q5_1],
    MmaQ4_K [mma_8_q4_k, mma_16_q4_k, prompt_q4_k],
    MmaQ5_K [mma_8_q5_k, mma_16_q5_k, prompt_q5_k],
    MmaQ6_K [mma_8_q6_k, mma_16_q6_k, prompt_q6_k],
    MmaI8 [mma_8_i8, mma_16_i8, prompt_i8],
    GemvF32 [gemv_1_f32, gemv_2_f32, gemv_4_f32, gemv_8_f32],
    GemvBF16 [gemv_1_bf16, gemv_2_bf16, gemv_4_bf16, gemv_8_bf16],
    GemvF16 [gemv_1_f16, gemv_2_f16, gemv_4_f16, gemv_8_f16],
}

/// Runs kernels on the calling thread.
#[derive(Clone, Debug)]
pub struct HostTwin {
    blocks: u64,
    only: Option<Range<u64>>,
}

impl HostTwin {
    /// A pretended device that `blocks` blocks keep busy.
    ///
    /// # Errors
    /// [`Error::HostCpu`] on an x86-64 CPU without AVX2 or FMA.
    pub fn new(blocks: u64) -> Result<Raw<HostTwin>, Error> {
        #[cfg(target_arch = "x86_64")]
        if !(std::arch::is_x86_feature_detected!("avx2")
            && std::arch::is_x86_feature_detected!("fma"))
        {
            return Err(Error::HostCpu);
        }
        Ok(Raw(HostTwin { blocks, only: None }))
    }

    /// The same, running only these blocks of each grid: a look at the end of a buffer that is
    /// larger than memory.
    pub fn only(self, blocks: Range<u64>) -> Raw<HostTwin> {
        Raw(HostTwin { only: Some(blocks), ..self })
    }
}

// SAFETY: `launch` runs the one kernel.
unsafe impl Launch for HostTwin {
    fn blocks(&self) -> u64 {
        self.blocks
    }

    /// It runs every kernel.
    fn capability(&self) -> u32 {
        u32::MAX
    }

    unsafe fn launch(
        &self,
        kernel: Kernel,
        entry: usize,
        blocks: u32,
        args: *const c_void,
    ) -> Result<(), Error> {
        let twin = twins(kernel)[entry];
        let all = 0..u64::from(blocks);
        let Range { start, end } = self.only.clone().unwrap_or(all);
        // SAFETY: the CPU runs these instructions (`new` checked); the caller vouches for the
        // arguments.
        unsafe { twin(start, end.min(blocks.into()), blocks.into(), args) };
        Ok(())
    }
}
