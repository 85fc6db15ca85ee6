//! Storage types as the tests of slices need them.

use half::{bf16, f16};
use xielu::activation::Element;

/// A storage type, to and from f32 and bits.
pub trait Stored: Element + Default + PartialEq + std::fmt::Debug {
    fn narrow(x: f32) -> Self;
    fn wide(self) -> f32;
    fn bits(self) -> u32;
    /// An encoding for every number: all of them for 16-bit types.
    fn from_encoding(bits: u16) -> Self;
}

macro_rules! stored {
    ($t:ty, $narrow:expr, $wide:expr, $from:expr) => {
        impl Stored for $t {
            fn narrow(x: f32) -> Self {
                $narrow(x)
            }
            fn wide(self) -> f32 {
                $wide(self)
            }
            fn bits(self) -> u32 {
                self.to_bits().into()
            }
            fn from_encoding(bits: u16) -> Self {
                $from(bits)
            }
        }
    };
}

stored!(f32, std::convert::identity, std::convert::identity, |bits| f32::from_bits(
    u32::from(bits) << 16 | 0x4bd1
));
stored!(bf16, bf16::from_f32, bf16::to_f32, bf16::from_bits);
stored!(f16, f16::from_f32, f16::to_f32, f16::from_bits);

pub fn bits<T: Stored>(values: &[T]) -> Vec<u32> {
    values.iter().map(|v| v.bits()).collect()
}
