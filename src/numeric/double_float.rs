//! Numbers of 48 bits as sums of two f32 (Dekker, Numerische Mathematik 18, 1971).

use core::f32::consts::{FRAC_2_PI, FRAC_PI_2, LN_2, LOG2_E};
use core::ops::{Add, Mul, Neg};

/// ln 2 - `LN_2`.
const LN_2_LOW: f32 = -1.904_654_3e-9;
/// pi/2 - `FRAC_PI_2`.
const FRAC_PI_2_LOW: f32 = -4.371_139e-8;
/// 1.5 * 2^23: adding and subtracting it rounds to an integer.
const ROUND: f32 = 12_582_912.0;
/// e^x is 0 in f32 from here down.
const EXP_LOWEST: f32 = -104.0;

#[derive(Clone, Copy)]
struct Pair {
    high: f32,
    low: f32,
}

impl From<f32> for Pair {
    fn from(high: f32) -> Self {
        Pair { high, low: 0.0 }
    }
}

/// `a + b`, exactly.
fn sum(a: f32, b: f32) -> Pair {
    let high = a + b;
    let b_part = high - a;
    Pair { high, low: (a - (high - b_part)) + (b - b_part) }
}

/// `a * b`, exactly; both below 2^115.
fn product(a: f32, b: f32) -> Pair {
    let halves = |x: f32| {
        let high = x * 4097.0 - (x * 4097.0 - x);
        (high, x - high)
    };
    let high = a * b;
    let ((a1, a0), (b1, b0)) = (halves(a), halves(b));
    Pair { high, low: ((a1 * b1 - high) + a1 * b0 + a0 * b1) + a0 * b0 }
}

impl Add for Pair {
    type Output = Pair;
    #[inline(never)]
    fn add(self, other: Pair) -> Pair {
        let s = sum(self.high, other.high);
        sum(s.high, s.low + (self.low + other.low))
    }
}

impl Mul for Pair {
    type Output = Pair;
    #[inline(never)]
    fn mul(self, other: Pair) -> Pair {
        let p = product(self.high, other.high);
        sum(p.high, p.low + (self.high * other.low + self.low * other.high))
    }
}

impl Neg for Pair {
    type Output = Pair;
    fn neg(self) -> Pair {
        Pair { high: -self.high, low: -self.low }
    }
}

/// `1 / n` for a small integer.
fn inverse(n: f32) -> Pair {
    let high = 1.0 / n;
    let back = product(n, high);
    Pair { high, low: ((1.0 - back.high) - back.low) / n }
}

/// `e^x` for x <= 88: the series of the remainder of ln 2, to the power of 12.
#[inline(never)]
fn exp(x: Pair) -> Pair {
    let x = if x.high < EXP_LOWEST { EXP_LOWEST.into() } else { x };
    let k = (x.high * LOG2_E + ROUND) - ROUND;
    let r = x + -(Pair { high: LN_2, low: LN_2_LOW } * k.into());
    let mut y = Pair::from(1.0);
    for n in (1..=12u8).rev() {
        y = y * r * inverse(n.into()) + 1.0.into();
    }
    // Two factors, for results below the smallest normal number.
    let half = k as i32 / 2;
    let scale = |k: i32| f32::from_bits(((k + 127) as u32) << 23);
    let (a, b) = (scale(half), scale(k as i32 - half));
    Pair { high: y.high * a * b, low: y.low * a * b }
}

/// `ln x` for normal `x` by Newton's method, from what the bits of a float say of it.
fn ln(x: Pair) -> Pair {
    let bits = x.high.to_bits().wrapping_sub(1f32.to_bits()) as i32;
    let mut y = Pair::from(bits as f32 * (LN_2 / (1 << 23) as f32));
    for _ in 0..5 {
        y = y + (x * exp(-y) + (-1.0).into());
    }
    y
}

/// `shift + softplus(x)`, rounded once.
pub(crate) fn shifted_softplus(x: f32, shift: f32) -> f32 {
    let e = exp((-x.abs()).into());
    let log = if e.high < 1.0 / 1024.0 {
        // Three terms of the series; the next is below 2^-31 of the first.
        e * (e * (e * inverse(3.0) + (-0.5).into()) + 1.0.into())
    } else {
        ln(e + 1.0.into())
    };
    let positive = if x > 0.0 { x } else { 0.0 };
    (log + positive.into() + shift.into()).high
}

/// `base^-(part / whole)`, of small numbers.
pub(crate) fn power(base: f32, part: usize, whole: usize) -> f32 {
    let exponent = Pair::from(part as f32) * inverse(whole as f32);
    exp(-(exponent * ln(base.into()))).high
}

/// Sine and cosine within 2^-23 for angles below 2^17.
pub(crate) fn sin_cos(angle: f32) -> (f32, f32) {
    let n = (angle * FRAC_2_PI + ROUND) - ROUND;
    let whole = product(n, FRAC_PI_2);
    let r = ((angle - whole.high) - whole.low) - n * FRAC_PI_2_LOW;
    // Taylor's series: the first omitted terms are below 2^-28 of the sums.
    let (square, mut sin, mut cos) = (r * r, 1.0, 1.0);
    for n in [4u8, 3, 2, 1] {
        let n = f32::from(2 * n);
        sin = 1.0 - sin * square / (n * (n + 1.0));
    }
    for n in [5u8, 4, 3, 2, 1] {
        let n = f32::from(2 * n);
        cos = 1.0 - cos * square / (n * (n - 1.0));
    }
    match n as i32 & 3 {
        0 => (r * sin, cos),
        1 => (cos, -r * sin),
        2 => (-r * sin, -cos),
        _ => (-cos, r * sin),
    }
}
