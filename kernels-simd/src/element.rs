//! Storage types of activations, and where the tables have their kernels.
#![allow(private_bounds, private_interfaces, reason = "sealed: the tables are this crate's own")]

use half::{bf16, f16};

use crate::block::DType;
use crate::generic::activation_backward::{Table as Backward, TableOf};
use crate::generic::activation_forward::{Forward, Gated, Table};
use crate::generic::simd;

/// A storage type of activations: `f32`, `bf16` or `f16`. The 16-bit types are storage only:
/// everything is computed in f32 and rounded once (to nearest, ties to even).
pub trait Element: sealed::Sealed + Send + Sync + 'static {
    /// Its name here.
    const DTYPE: DType;
}

pub(crate) mod sealed {
    use super::*;

    pub trait Sealed: simd::Element {
        fn forward_kernel(table: &Table) -> Forward<Self>;
        fn swiglu_kernel(table: &Table) -> Gated<Self>;
        fn gradient_kernels(table: &Backward) -> &TableOf<Self>;
    }
}

macro_rules! element {
    ($t:ident, $dtype:ident, $swiglu:ident) => {
        impl Element for $t {
            const DTYPE: DType = DType::$dtype;
        }

        impl sealed::Sealed for $t {
            #[inline(always)]
            fn forward_kernel(table: &Table) -> Forward<Self> {
                table.$t
            }

            #[inline(always)]
            fn swiglu_kernel(table: &Table) -> Gated<Self> {
                table.$swiglu
            }

            #[inline(always)]
            fn gradient_kernels(table: &Backward) -> &TableOf<Self> {
                &table.$t
            }
        }
    };
}

element!(f32, F32, swiglu_f32);
element!(bf16, BF16, swiglu_bf16);
element!(f16, F16, swiglu_f16);
