//! Encoders that round: one scale (and minimum) covers a block of 32.

use half::f16;

use crate::kernels::{BlockMXFP4, BlockQ8_0, F16, FP4_VALUES, Kernels, QK};

pub(super) fn q8_0(x: &[f32; QK], out: &mut [u8; 34]) -> bool {
    let mut block = [BlockQ8_0::ZERO];
    // The length is one block of 32 values, as it must be: no error is possible.
    let _ = Kernels::scalar().quantize_q8_0(x, &mut block);
    let [BlockQ8_0 { d: F16([d0, d1]), qs }] = block;
    let [out0, out1, quants @ ..] = out;
    (*out0, *out1, *quants) = (d0, d1, qs.map(|q| q as u8));
    f16::from_le_bytes([d0, d1]).is_finite()
}

pub(super) fn q4_0(x: &[f32; QK], out: &mut [u8; 18]) -> bool {
    let [d0, d1, quants @ ..] = out;
    let (scale, q) = signed::<8>(x);
    [*d0, *d1] = scale.to_le_bytes();
    *quants = nibbles(&q);
    scale.is_finite()
}

pub(super) fn q5_0(x: &[f32; QK], out: &mut [u8; 22]) -> bool {
    let [d0, d1, h0, h1, h2, h3, quants @ ..] = out;
    let (scale, q) = signed::<16>(x);
    [*d0, *d1] = scale.to_le_bytes();
    [*h0, *h1, *h2, *h3] = fifth_bits(&q);
    *quants = nibbles(&q);
    scale.is_finite()
}

pub(super) fn q4_1(x: &[f32; QK], out: &mut [u8; 20]) -> bool {
    let [d0, d1, m0, m1, quants @ ..] = out;
    let ([scale, min], q) = from_minimum::<15>(x);
    ([*d0, *d1], [*m0, *m1]) = (scale.to_le_bytes(), min.to_le_bytes());
    *quants = nibbles(&q);
    scale.is_finite() && min.is_finite()
}

pub(super) fn q5_1(x: &[f32; QK], out: &mut [u8; 24]) -> bool {
    let [d0, d1, m0, m1, h0, h1, h2, h3, quants @ ..] = out;
    let ([scale, min], q) = from_minimum::<31>(x);
    ([*d0, *d1], [*m0, *m1]) = (scale.to_le_bytes(), min.to_le_bytes());
    [*h0, *h1, *h2, *h3] = fifth_bits(&q);
    *quants = nibbles(&q);
    scale.is_finite() && min.is_finite()
}

/// The scale is a power of two, whatever the values are.
pub(super) fn mxfp4(x: &[f32; QK], out: &mut [u8; 17]) -> bool {
    let largest = x.iter().fold(0.0f32, |m, &v| if v.abs() > m { v.abs() } else { m });
    // As f32, whose rounding lifts what is just below a power of two to it. The cast saturates.
    let exponent = libm::floor(f64::from(libm::log2(f64::from(largest)) as f32)) as i32;
    let e = if largest > 0.0 { (exponent + 125).clamp(0, 255) as u8 } else { 0 };
    let scale = BlockMXFP4 { e, qs: [0; 16] }.half_scale();
    let codes = x.map(|v| {
        let mut best = (0, f32::INFINITY);
        for (code, &value) in (0..).zip(&FP4_VALUES) {
            let error = (f32::from(value) * scale - v).abs();
            best = if error < best.1 { (code, error) } else { best };
        }
        best.0
    });
    let [out_e, quants @ ..] = out;
    (*out_e, *quants) = (e, nibbles(&codes));
    true
}

/// The scale and quants from 0 to `2 * ZERO - 1`, of which `ZERO` means 0 and 0 the value of largest
/// magnitude.
fn signed<const ZERO: u8>(x: &[f32; QK]) -> (f16, [u8; QK]) {
    let m = x.iter().fold(0.0f32, |m, &v| if v.abs() > m.abs() { v } else { m });
    let d = m / -f32::from(ZERO);
    let id = if d == 0.0 { 0.0 } else { 1.0 / d };
    // The cast saturates, and maps the NaN of 0 * inf (`d` subnormal) to 0.
    let quant = |v: f32| ((v * id + (f32::from(ZERO) + 0.5)) as u8).min(2 * ZERO - 1);
    (f16::from_f32(d), x.map(quant))
}

/// The scale, the minimum and quants from 0 to `MOST`.
fn from_minimum<const MOST: u8>(x: &[f32; QK]) -> ([f16; 2], [u8; QK]) {
    let low = x.iter().fold(f32::INFINITY, |m, &v| if v < m { v } else { m });
    let high = x.iter().fold(f32::NEG_INFINITY, |m, &v| if v > m { v } else { m });
    let d = (high - low) / f32::from(MOST);
    let id = if d == 0.0 { 0.0 } else { 1.0 / d };
    let quant = |v: f32| (((v - low) * id + 0.5) as u8).min(MOST);
    ([d, low].map(f16::from_f32), x.map(quant))
}

/// The lower four bits: of the first half in the low nibbles, of the second in the high ones.
pub(super) fn nibbles(q: &[u8; QK]) -> [u8; QK / 2] {
    let mut out = [0; QK / 2];
    let (low, high) = q.split_at(QK / 2);
    for (out, (low, high)) in out.iter_mut().zip(low.iter().zip(high)) {
        *out = low & 15 | high << 4;
    }
    out
}

/// The fifth bits, the first value's lowest.
pub(super) fn fifth_bits(q: &[u8; QK]) -> [u8; 4] {
    let mut bits = 0;
    for (i, q) in q.iter().enumerate() {
        bits |= u32::from(q >> 4) << i;
    }
    bits.to_le_bytes()
}
