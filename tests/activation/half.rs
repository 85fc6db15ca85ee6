//! The bf16 and f16 lines of the accuracy table: all 65,536 encodings.

use half::{bf16, f16};
use xielu::activation::accuracy::{Accuracy, Bound, TABLE};
use xielu::activation::{Element, Elementwise};
use xielu::kernels::DType;
use xielu_testing::kernels::every_backend;

use crate::cases::cases;

/// A 16-bit storage type.
trait Half: Element + Default {
    fn from_encoding(bits: u16) -> Self;
    fn encoding(self) -> u16;
    fn wide(self) -> f32;
    fn narrow(x: f32) -> Self;
}

macro_rules! half {
    ($t:ident) => {
        impl Half for $t {
            fn from_encoding(bits: u16) -> Self {
                $t::from_bits(bits)
            }
            fn encoding(self) -> u16 {
                self.to_bits()
            }
            fn wide(self) -> f32 {
                self.to_f32()
            }
            fn narrow(x: f32) -> Self {
                $t::from_f32(x)
            }
        }
    };
}

half!(bf16);
half!(f16);

/// `v` to f32, to odd: a second rounding, to fewer bits, then gives what one would.
fn to_odd(v: f64) -> f32 {
    let near = v as f32;
    if f64::from(near) == v || near.to_bits() & 1 == 1 || v.is_nan() {
        near
    } else if f64::from(near) < v {
        near.next_up()
    } else {
        near.next_down()
    }
}

/// Encodings in the order of the values they stand for.
fn order(encoding: u16) -> i32 {
    let magnitude = i32::from(encoding & 0x7fff);
    if encoding & 0x8000 == 0 { magnitude } else { -magnitude }
}

/// The largest number of misrounded encodings over the line's parameters.
fn misrounded<T: Half>(line: &Accuracy) -> u32 {
    let src: Vec<T> = (0..=u16::MAX).map(T::from_encoding).collect();
    let mut most = 0;
    for case in cases(line) {
        let exact: Vec<T> = src.iter().map(|x| T::narrow(to_odd(case.truth(x.wide()).0))).collect();
        for backend in every_backend() {
            let mut dst = vec![T::default(); src.len()];
            case.f.forward(&backend, &src, &mut dst).unwrap();
            let mut count = 0;
            for ((x, y), exact) in src.iter().zip(&dst).zip(&exact) {
                let nan = x.wide().is_nan();
                assert_eq!(y.wide().is_nan(), nan, "{:?} at {}", case.f, x.wide());
                let apart = order(y.encoding()) - order(exact.encoding());
                assert!(nan || apart.abs() <= 1, "{:?} at {:e}", case.f, x.wide());
                count += u32::from(!nan && apart != 0);
            }
            most = most.max(count);
        }
    }
    most
}

#[test]
fn every_encoding_within_bounds() {
    let mut seen = 0;
    for line in TABLE {
        let found = match line.dtype {
            DType::BF16 => misrounded::<bf16>(line),
            DType::F16 => misrounded::<f16>(line),
            _ => continue,
        };
        println!("{line}: measured {found}");
        assert_eq!(Bound::Misrounded(found), line.bound, "{line}");
        seen += 1;
    }
    assert!(seen >= 12);
}
