//! Operations with gradients, fused for the CPU: what candle would compute in many passes over
//! memory is one here.
//!
//! Each function takes tensors of any device. On the CPU, f32 and f64 go to a custom op; other
//! devices and types to the same formula composed of candle's operations. The ops run on the
//! calling thread: a trainer divides its work among threads above them.

/// Returns an error with a formatted message.
macro_rules! refuse {
    ($($message:tt)*) => {
        return Err(candle_core::Error::Msg(std::format!($($message)*)).bt())
    };
}

mod activation;
mod add;
mod attention;
mod causal_softmax;
mod cross_entropy;
mod functions;
mod head;
mod heads;
mod mlp;
mod opaque;
mod real;
mod rms_norm;
mod sink;

pub use activation::{activate, relu2, swiglu, xielu, xiprelu};
pub(super) use add::add_in_place;
pub use attention::causal_attention;
pub use causal_softmax::causal_softmax;
pub use cross_entropy::cross_entropy;
pub use head::head_loss;
pub use heads::{Rotation, merge_heads, split_heads};
pub use mlp::{MlpActivation, mlp};
pub use rms_norm::rms_norm;
pub use sink::{Sink, linear_sunk};

use candle_core::{CpuStorage, DType, Layout, Result, Tensor, WithDType};

/// What sums and powers of this tensor are computed in.
fn exact(x: &Tensor) -> DType {
    if x.dtype() == DType::F64 { DType::F64 } else { DType::F32 }
}

/// Whether the custom ops compute this tensor.
fn is_fused(x: &Tensor) -> bool {
    x.device().is_cpu() && matches!(x.dtype(), DType::F32 | DType::F64)
}

/// The elements of a contiguous storage.
fn slice<'a, T: WithDType>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [T]> {
    let data = T::cpu_storage_as_slice(storage)?;
    match layout.contiguous_offsets().and_then(|(start, end)| data.get(start..end)) {
        Some(data) => Ok(data),
        None => refuse!("a custom op needs contiguous tensors, got {:?}", layout.shape()),
    }
}

/// Evaluates `$body` with `$t` as the type of the storage's elements.
macro_rules! by_dtype {
    ($storage:expr, $t:ident => $body:expr) => {
        match $storage {
            candle_core::CpuStorage::F32(_) => {
                type $t = f32;
                $body
            }
            candle_core::CpuStorage::F64(_) => {
                type $t = f64;
                $body
            }
            _ => refuse!("this op computes f32 and f64"),
        }
    };
}
use by_dtype;
