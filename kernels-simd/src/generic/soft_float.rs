//! f32 arithmetic for targets without an FPU: the compiler's library unpacks, normalises and packs
//! around every operation; here a few operations in a row stay unpacked, and the fused
//! multiply-add needs no f64.
//!
//! The results are IEEE 754's, rounded to nearest at every step as an FPU would. Only operands and
//! results that are normal numbers are computed here; all others take the plain path.

use crate::block::F16;

/// `mantissa * 2^(exponent - 127 - 31)`, the mantissa in `2^31 .. 2^32`, of 24 bits.
#[derive(Clone, Copy)]
struct Parts {
    /// The sign's bit as in an f32.
    sign: u32,
    /// As in an f32.
    exponent: i32,
    mantissa: u32,
}

impl Parts {
    /// `None` unless `x` is a normal number.
    #[inline(always)]
    fn of(x: f32) -> Option<Parts> {
        let bits = x.to_bits();
        let exponent = (bits >> 23 & 0xff) as i32;
        let mantissa = bits << 8 | 1 << 31;
        is_normal(exponent).then_some(Parts { sign: bits & 1 << 31, exponent, mantissa })
    }

    /// As [`Parts::of`]; subnormal halves are normal numbers of f32.
    #[inline(always)]
    fn of_half(x: F16) -> Option<Parts> {
        let bits = u32::from(u16::from_le_bytes(x.0));
        let exponent = (bits >> 10 & 0x1f) as i32;
        let (sign, fraction) = ((bits & 0x8000) << 16, bits << 22);
        match exponent {
            1..31 => {
                Some(Parts { sign, exponent: exponent + 112, mantissa: fraction >> 1 | 1 << 31 })
            }
            0 if fraction != 0 => {
                crate::generic::simd::cold();
                let zeros = leading_zeros(fraction);
                Some(Parts { sign, exponent: 112 - zeros as i32, mantissa: fraction << zeros })
            }
            _ => None,
        }
    }

    /// `None` for 0; exact below 2^24.
    #[inline(always)]
    fn of_integer(x: i32) -> Option<Parts> {
        let magnitude = x.unsigned_abs();
        let zeros = leading_zeros(magnitude);
        (x != 0).then(|| Parts {
            sign: x as u32 & 1 << 31,
            exponent: 158 - zeros as i32,
            mantissa: magnitude << zeros,
        })
    }

    /// Rounds to 24 bits; `None` if the result is not normal.
    #[inline(always)]
    fn rounded(self) -> Option<Parts> {
        let (mantissa, carried) = self.mantissa.overflowing_add(0x7f + (self.mantissa >> 8 & 1));
        let exponent = self.exponent + i32::from(carried);
        let mantissa = if carried { 1 << 31 } else { mantissa & !0xff };
        is_normal(exponent).then_some(Parts { exponent, mantissa, ..self })
    }

    #[inline(always)]
    fn times(self, other: Parts) -> Option<Parts> {
        let product = u64::from(self.mantissa) * u64::from(other.mantissa);
        let (mut high, mut low) = ((product >> 32) as u32, product as u32);
        let mut exponent = self.exponent + other.exponent - 126;
        if high >> 31 == 0 {
            (high, low) = (high << 1 | low >> 31, low << 1);
            exponent -= 1;
        }
        let sign = self.sign ^ other.sign;
        Parts { sign, exponent, mantissa: high | u32::from(low != 0) }.rounded()
    }

    #[inline(always)]
    fn plus(self, other: Parts) -> Option<f32> {
        let ordered = (self.exponent, self.mantissa) >= (other.exponent, other.mantissa);
        let (a, b) = if ordered { (self, other) } else { (other, self) };
        // Two bits for the carry and the sign, six behind the last one for rounding.
        let (high, low) = (a.mantissa >> 2, b.mantissa >> 2);
        let distance = (a.exponent - b.exponent) as u32;
        let low =
            low.checked_shr(distance).map_or(1, |kept| kept | u32::from(kept << distance != low));
        let sum = if a.sign == b.sign { high + low } else { high - low };
        if sum == 0 {
            return Some(0.0);
        }
        let zeros = zeros_of_sum(sum);
        let exponent = a.exponent + 2 - zeros as i32;
        Some(Parts { sign: a.sign, exponent, mantissa: sum << zeros }.rounded()?.pack())
    }

    #[inline(always)]
    fn pack(self) -> f32 {
        f32::from_bits(self.sign | (self.exponent as u32) << 23 | self.mantissa << 1 >> 9)
    }
}

/// Leading zeros, of which sums have one or two unless they cancel.
#[inline(always)]
fn zeros_of_sum(sum: u32) -> u32 {
    match sum >> 29 {
        2.. => 1,
        1 => 2,
        _ => leading_zeros(sum),
    }
}

/// By an instruction, where there is one.
#[cfg(not(all(target_arch = "riscv32", not(target_feature = "zbb"))))]
#[inline(always)]
fn leading_zeros(x: u32) -> u32 {
    x.leading_zeros()
}
#[cfg(all(target_arch = "riscv32", not(target_feature = "zbb")))]
use leading_zeros_by_table as leading_zeros;

/// As above: a third of the compiler's instructions.
#[cfg(any(test, all(target_arch = "riscv32", not(target_feature = "zbb"))))]
#[inline(always)]
fn leading_zeros_by_table(x: u32) -> u32 {
    /// How many bits a byte has from its first one on.
    static BITS: [u8; 256] = {
        let mut bits = [0; 256];
        let mut i = 1;
        while i < 256 {
            bits[i] = bits[i / 2] + 1;
            i += 1;
        }
        bits
    };
    let shift = match (x >> 16, x >> 8) {
        (0, 0) => 0,
        (0, _) => 8,
        (1..0x100, _) => 16,
        _ => 24,
    };
    32 - shift - u32::from(BITS[usize::from((x >> shift) as u8)])
}

#[inline(always)]
fn is_normal(exponent: i32) -> bool {
    (1..255).contains(&exponent)
}

/// `sum + scale * d * q`, rounded three times; `|q|` below 2^24.
pub(crate) fn add_scaled(sum: f32, scale: F16, d: f32, q: i32) -> f32 {
    add_scaled_inline(sum, scale, d, q)
}

/// [`add_scaled`], for loops in which a call would be a part of the cost.
#[inline(always)]
pub(crate) fn add_scaled_inline(sum: f32, scale: F16, d: f32, q: i32) -> f32 {
    match scaled(sum, scale, d, q) {
        Some(sum) => sum,
        None => add_scaled_plainly(sum, scale, d, q),
    }
}

#[inline(always)]
fn scaled(sum: f32, scale: F16, d: f32, q: i32) -> Option<f32> {
    let product = Parts::of_half(scale)?.times(Parts::of(d)?)?.times(Parts::of_integer(q)?)?;
    add(sum, product)
}

#[cold]
#[inline(never)]
fn add_scaled_plainly(sum: f32, scale: F16, d: f32, q: i32) -> f32 {
    sum + scale.get() * d * q as f32
}

/// `sum + a * b`, rounded twice.
pub(crate) fn add_product(sum: f32, a: f32, b: f32) -> f32 {
    let fast = || add(sum, Parts::of(a)?.times(Parts::of(b)?)?);
    fast().unwrap_or_else(|| {
        crate::generic::simd::cold();
        sum + a * b
    })
}

#[inline(always)]
fn add(sum: f32, product: Parts) -> Option<f32> {
    match sum.to_bits() {
        0 => Some(product.pack()),
        _ => product.plus(Parts::of(sum)?),
    }
}

/// `a * b + c`, rounded once.
pub(crate) fn fma(a: f32, b: f32, c: f32) -> f32 {
    fused(a, b, c).unwrap_or_else(|| {
        crate::generic::simd::cold();
        libm::fmaf(a, b, c)
    })
}

#[inline(always)]
fn fused(a: f32, b: f32, c: f32) -> Option<f32> {
    let (Some(a), Some(b)) = (Parts::of(a), Parts::of(b)) else {
        let zero = (a == 0.0 && b.is_finite()) || (b == 0.0 && a.is_finite());
        return (zero && c.is_normal()).then_some(c);
    };
    // A zero far below the product.
    let zero = || (c == 0.0).then_some(Parts { sign: 0, exponent: 1, mantissa: 0 });
    let c = Parts::of(c).or_else(zero)?;
    // Both with two free bits above them, in units of 2^(exponent - 188).
    let product = (u64::from(a.mantissa) * u64::from(b.mantissa)) >> 2;
    let (sign, exponent) = (a.sign ^ b.sign, a.exponent + b.exponent - 126);
    let addend = u64::from(c.mantissa) << 30;
    let distance = exponent - c.exponent;
    let (product, addend) = if distance >= 0 {
        (product, shifted(addend, distance as u32))
    } else {
        (shifted(product, distance.unsigned_abs()), addend)
    };
    let (sign, sum) = match (sign == c.sign, product >= addend) {
        (true, _) => (sign, product + addend),
        (false, true) => (sign, product - addend),
        (false, false) => (c.sign, addend - product),
    };
    if sum == 0 {
        return Some(0.0);
    }
    let zeros = match (sum >> 32) as u32 {
        0 => 32 + (sum as u32).leading_zeros(),
        high => zeros_of_sum(high),
    };
    let sum = sum << zeros;
    let exponent = exponent.max(c.exponent) + 2 - zeros as i32;
    let mantissa = (sum >> 32) as u32 | u32::from(sum as u32 != 0);
    Some(Parts { sign, exponent, mantissa }.rounded()?.pack())
}

/// `x >> distance`, its last bit set if a bit was lost.
#[inline(always)]
fn shifted(x: u64, distance: u32) -> u64 {
    match x.checked_shr(distance) {
        Some(kept) => kept | u64::from(kept << distance != x),
        None => u64::from(x != 0),
    }
}

#[cfg(test)]
mod tests {
    use xielu_testing_base::noise::Noise;

    use super::*;

    /// Any f32, or (more often) one whose exponent is near that of 1, with few bits or many.
    fn float(noise: &mut Noise) -> f32 {
        let mut next = || (noise.bits() >> 32) as u32;
        let bits = next();
        let mantissa = [0x7f_ffff, 0x70_0000, 0x7f_0001, 0][next() as usize % 4];
        match next() % 8 {
            0 => f32::from_bits(bits),
            1 => [0.0, -0.0, f32::INFINITY, f32::NAN, 1e-40, f32::MIN_POSITIVE, f32::MAX, 1.0]
                [bits as usize % 8],
            n => {
                let exponent = 127 + (bits >> 24) % (8 * n) - 4 * n;
                f32::from_bits(bits & 1 << 31 | exponent << 23 | bits & mantissa)
            }
        }
    }

    fn same(ours: f32, truth: f32) -> bool {
        ours.to_bits() == truth.to_bits() || ours.is_nan() && truth.is_nan()
    }

    #[test]
    fn every_operation_rounds_as_hardware_does() {
        let mut noise = Noise::new(1);
        for _ in 0..4_000_000 {
            let [a, b, c] = [float(&mut noise), float(&mut noise), float(&mut noise)];
            let ours = add_product(c, a, b);
            assert!(same(ours, c + a * b), "{c:e} + {a:e} * {b:e}: {ours:e}");
            let ours = fma(a, b, c);
            assert!(same(ours, libm::fmaf(a, b, c)), "fma {a:e} {b:e} {c:e}: {ours:e}");
            let scale = F16(((noise.bits() >> 32) as u16).to_le_bytes());
            let q = ((noise.bits() >> 32) as i32) >> (8 + noise.below(24));
            let ours = add_scaled(c, scale, b, q);
            let truth = c + scale.get() * b * q as f32;
            assert!(same(ours, truth), "{c:e} + {scale:?} * {b:e} * {q}: {ours:e}");
        }
    }

    #[test]
    fn leading_zeros_of_every_length() {
        for bits in 0..=32 {
            let most = (1u64 << bits) - 1;
            for x in [most, most / 2 + 1, most - most / 3] {
                let x = x as u32;
                assert_eq!(leading_zeros_by_table(x), x.leading_zeros(), "{x:#x}");
            }
        }
    }

    /// Sums that cancel to the last bits, where a bit shifted out would be missed.
    #[test]
    fn differences_of_neighbours_are_exact() {
        let mut noise = Noise::new(2);
        for _ in 0..1_000_000 {
            let [a, b] = [float(&mut noise), float(&mut noise)];
            let product = a * b;
            for ulps in 0..3u32 {
                let c = -f32::from_bits(product.to_bits().wrapping_add(ulps).wrapping_sub(1));
                assert!(same(add_product(c, a, b), c + product), "{a:e} {b:e} {c:e}");
                assert!(same(fma(a, b, c), libm::fmaf(a, b, c)), "{a:e} {b:e} {c:e}");
            }
        }
    }
}
