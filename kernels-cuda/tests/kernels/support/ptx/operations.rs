//! What the instructions compute, as NVIDIA's "PTX ISA" says.

use half::f16;

use super::memory::Access;
use super::parse::Space;
use super::warp::Collective;

/// From up to four registers to one.
pub type Compute = Box<dyn Fn([u64; 4]) -> u64 + Send + Sync>;

pub enum Operation {
    Branch(usize),
    Barrier,
    Collective(Collective),
    Return,
    Load(Access),
    Store(Access),
    Compute(Compute),
    /// `mov.b64` of two 32-bit registers.
    Pack,
    /// Its reverse.
    Unpack,
    /// `bfi.b32`: the lowest bits of a value into another one.
    Insert,
}

fn f(bits: u64) -> f32 {
    f32::from_bits(bits as u32)
}

fn d(bits: u64) -> f64 {
    f64::from_bits(bits)
}

/// Every NaN that arithmetic makes has these bits.
fn from_f(x: f32) -> u64 {
    if x.is_nan() { 0x7fff_ffff } else { x.to_bits().into() }
}

fn from_d(x: f64) -> u64 {
    if x.is_nan() { 0x7fff_ffff_ffff_ffff } else { x.to_bits() }
}

/// The operand that is not NaN; -0 is below +0.
fn min(a: f32, b: f32) -> f32 {
    match (a.is_nan(), b.is_nan()) {
        (true, _) => b,
        (_, true) => a,
        _ if a.total_cmp(&b).is_lt() => a,
        _ => b,
    }
}

fn max(a: f32, b: f32) -> f32 {
    -min(-a, -b)
}

fn unary(compute: impl Fn(u64) -> u64 + Send + Sync + 'static) -> Compute {
    Box::new(move |[a, ..]| compute(a))
}
fn binary(compute: impl Fn(u64, u64) -> u64 + Send + Sync + 'static) -> Compute {
    Box::new(move |[a, b, ..]| compute(a, b))
}
fn ternary(compute: impl Fn(u64, u64, u64) -> u64 + Send + Sync + 'static) -> Compute {
    Box::new(move |[a, b, c, _]| compute(a, b, c))
}

pub fn operation(opcode: &str) -> Operation {
    if let Some(collective) = Collective::of(opcode) {
        return Operation::Collective(collective);
    }
    let parts: Vec<&str> = opcode.split('.').collect();
    match parts[..] {
        ["bar", "sync"] => Operation::Barrier,
        ["bfi", "b32"] => Operation::Insert,
        ["ret"] => Operation::Return,
        ["ld" | "st", space, ..] => {
            let space = match space {
                "param" => Space::Param,
                "global" => Space::Global,
                "shared" => Space::Shared,
                other => panic!("state space {other}"),
            };
            let kind = *parts.last().unwrap();
            let (bytes, signed) = (bits(kind) as usize / 8, kind.starts_with('s'));
            let access = Access { space, bytes, signed };
            if parts[0] == "ld" { Operation::Load(access) } else { Operation::Store(access) }
        }
        ["setp", comparison, "f32" | "f64"] => Operation::Compute(setp_float(comparison, parts[2])),
        ["setp", comparison, "s32" | "s64"] => {
            let width = bits(parts[2]);
            let compare = compare::<i64>(comparison);
            Operation::Compute(binary(move |a, b| {
                compare(sign_extend(a, width), sign_extend(b, width)).into()
            }))
        }
        ["setp", comparison, unsigned] => {
            let mask = mask(bits(unsigned));
            let compare = compare::<u64>(comparison);
            Operation::Compute(binary(move |a, b| compare(a & mask, b & mask).into()))
        }
        _ => {
            let found = float(opcode).or_else(|| integer(&parts)).or_else(|| convert(opcode));
            Operation::Compute(found.unwrap_or_else(|| panic!("no such instruction: {opcode}")))
        }
    }
}

/// Of a type such as `u32`; a predicate is one.
fn bits(kind: &str) -> u32 {
    if kind == "pred" { 1 } else { kind[1..].parse().expect("bits of a type") }
}

fn mask(bits: u32) -> u64 {
    u64::MAX >> (64 - bits)
}

pub fn sign_extend(value: u64, bits: u32) -> i64 {
    (value << (64 - bits)) as i64 >> (64 - bits)
}

fn compare<T: PartialOrd>(comparison: &str) -> fn(T, T) -> bool {
    match comparison {
        "eq" => |a, b| a == b,
        "ne" => |a, b| a != b,
        "lt" => |a, b| a < b,
        "le" => |a, b| a <= b,
        "gt" => |a, b| a > b,
        "ge" => |a, b| a >= b,
        other => panic!("comparison {other}"),
    }
}

/// `lt` and its like are false where an operand is NaN, `ltu` is true.
fn setp_float(comparison: &str, kind: &str) -> Compute {
    let wide = kind == "f64";
    let value = move |bits| if wide { d(bits) } else { f(bits).into() };
    let nan = move |a, b| value(a).is_nan() || value(b).is_nan();
    match comparison {
        "nan" => return binary(move |a, b| nan(a, b).into()),
        "num" => return binary(move |a, b| (!nan(a, b)).into()),
        _ => {}
    }
    let (ordered, or_nan) = match comparison.strip_suffix('u') {
        Some(ordered) => (ordered, true),
        None => (comparison, false),
    };
    let compare = compare::<f64>(ordered);
    binary(move |a, b| if nan(a, b) { or_nan.into() } else { compare(value(a), value(b)).into() })
}

fn float(opcode: &str) -> Option<Compute> {
    Some(match opcode {
        "add.rn.f32" => binary(|a, b| from_f(f(a) + f(b))),
        "sub.rn.f32" => binary(|a, b| from_f(f(a) - f(b))),
        "mul.rn.f32" => binary(|a, b| from_f(f(a) * f(b))),
        "sqrt.rn.f32" => unary(|a| from_f(f(a).sqrt())),
        "div.rn.f32" => binary(|a, b| from_f(f(a) / f(b))),
        "fma.rn.f32" => ternary(|a, b, c| from_f(f(a).mul_add(f(b), f(c)))),
        "min.f32" => binary(|a, b| from_f(min(f(a), f(b)))),
        "max.f32" => binary(|a, b| from_f(max(f(a), f(b)))),
        "neg.f32" => unary(|a| from_f(-f(a))),
        "abs.f32" => unary(|a| from_f(f(a).abs())),
        "add.rn.f64" => binary(|a, b| from_d(d(a) + d(b))),
        "sub.rn.f64" => binary(|a, b| from_d(d(a) - d(b))),
        "mul.rn.f64" => binary(|a, b| from_d(d(a) * d(b))),
        "div.rn.f64" => binary(|a, b| from_d(d(a) / d(b))),
        "fma.rn.f64" => ternary(|a, b, c| from_d(d(a).mul_add(d(b), d(c)))),
        // Of two zeros none is compared in the kernels.
        "max.f64" => binary(|a, b| from_d(d(a).max(d(b)))),
        "neg.f64" => unary(|a| from_d(-d(a))),
        "abs.f64" => unary(|a| from_d(d(a).abs())),
        // Good to 20 bits.
        "rcp.approx.ftz.f64" => unary(|a| from_d(1.0 / d(a)) & !0xffff_ffff),
        _ => return None,
    })
}

fn integer(parts: &[&str]) -> Option<Compute> {
    let kind = *parts.last().unwrap();
    if matches!(kind, "f32" | "f64") && !matches!(parts[0], "mov" | "selp") {
        return None;
    }
    if parts[0] == "cvt" || parts[0] == "cvta" {
        return None;
    }
    let width = bits(kind);
    let mask = mask(width);
    Some(match parts {
        ["mov", _] => unary(move |a| a & mask),
        ["selp", _] => ternary(move |a, b, p| if p & 1 != 0 { a & mask } else { b & mask }),
        ["add", _] => binary(move |a, b| a.wrapping_add(b) & mask),
        ["sub", _] => binary(move |a, b| a.wrapping_sub(b) & mask),
        ["mul", "lo", _] => binary(move |a, b| a.wrapping_mul(b) & mask),
        ["mul", "wide", "u32"] => binary(move |a, b| (a & mask) * (b & mask)),
        ["mad", "lo", _] => ternary(move |a, b, c| a.wrapping_mul(b).wrapping_add(c) & mask),
        ["and", _] => binary(move |a, b| a & b & mask),
        ["or", _] => binary(move |a, b| (a | b) & mask),
        ["xor", _] => binary(move |a, b| (a ^ b) & mask),
        ["not", _] => unary(move |a| !a & mask),
        ["div", "u32" | "u64"] => binary(move |a, b| (a & mask) / (b & mask)),
        ["rem", "u32" | "u64"] => binary(move |a, b| (a & mask) % (b & mask)),
        ["mul", "wide", "s32"] => {
            binary(|a, b| sign_extend(a, 32).wrapping_mul(sign_extend(b, 32)).cast_unsigned())
        }
        ["mul", "wide", "u16"] => binary(|a, b| (a & 0xffff) * (b & 0xffff)),
        ["mul", "wide", "s16"] => {
            binary(|a, b| u64::from((sign_extend(a, 16) * sign_extend(b, 16)) as u32))
        }
        // Puts the low bits of the first into the second.
        ["bfi", "b32"] => Box::new(|[a, b, position, len]| {
            let field = ((1u64 << len.min(32)) - 1) << position;
            (b & !field | a << position & field) & 0xffff_ffff
        }),
        // Each byte is one of the eight of both, or its sign.
        ["prmt", "b32"] => ternary(|a, b, selector| {
            let bytes = (b << 32 | a & 0xffff_ffff).to_le_bytes();
            (0..4).fold(0, |out, i| {
                let by = selector >> (4 * i);
                let byte = bytes[(by & 7) as usize];
                let byte = if by & 8 != 0 { (byte as i8 >> 7) as u8 } else { byte };
                out | u64::from(byte) << (8 * i)
            })
        }),
        ["mad", "wide", "u32"] => {
            ternary(|a, b, c| (a & 0xffff_ffff).wrapping_mul(b & 0xffff_ffff).wrapping_add(c))
        }
        ["mad", "wide", "s32"] => ternary(|a, b, c| {
            let product = sign_extend(a, 32).wrapping_mul(sign_extend(b, 32));
            product.cast_unsigned().wrapping_add(c)
        }),
        ["dp4a", "s32", "s32"] => ternary(|a, b, c| {
            let byte = |v: u64, i: u32| i32::from((v >> (8 * i)) as i8);
            let sum: i32 = (0..4).map(|i| byte(a, i) * byte(b, i)).sum();
            (c as u32).wrapping_add(sum.cast_unsigned()).into()
        }),
        ["min", "u32" | "u64"] => binary(move |a, b| (a & mask).min(b & mask)),
        ["min", "s32" | "s64"] => binary(move |a, b| {
            sign_extend(a, width).min(sign_extend(b, width)).cast_unsigned() & mask
        }),
        ["max", "u32" | "u64"] => binary(move |a, b| (a & mask).max(b & mask)),
        // Shifts by more than the width leave nothing but the sign.
        ["neg", "s32" | "s64"] => unary(move |a| a.wrapping_neg() & mask),
        ["shl", _] => binary(move |a, n| a.checked_shl(n as u32).unwrap_or(0) & mask),
        ["shr", "s32" | "s64"] => {
            binary(move |a, n| (sign_extend(a, width) >> (n as u32).min(63)) as u64 & mask)
        }
        ["shr", _] => binary(move |a, n| (a & mask).checked_shr(n as u32).unwrap_or(0)),
        _ => return None,
    })
}

fn convert(opcode: &str) -> Option<Compute> {
    Some(match opcode {
        "cvta.to.global.u64" | "cvt.u64.u32" | "cvt.u32.u16" => unary(|a| a),
        "cvt.u32.u64" => unary(|a| a & 0xffff_ffff),
        "cvt.u16.u32" => unary(|a| a & 0xffff),
        "cvt.s64.s32" | "cvt.s64.s16" | "cvt.s32.s16" | "cvt.s32.s8" | "cvt.s16.s8"
        | "cvt.u64.u16" | "cvt.u16.u8" | "cvt.u32.u8" | "cvt.s64.s8" => integers(opcode),
        "cvt.rn.f32.s32" => unary(|a| from_f(a as i32 as f32)),
        "cvt.rn.f32.u32" => unary(|a| from_f(a as u32 as f32)),
        "cvt.rn.f32.s16" => unary(|a| from_f(a as i16 as f32)),
        "cvt.rn.f32.u16" => unary(|a| from_f(a as u16 as f32)),
        "cvt.f32.f16" => unary(|a| from_f(f16::from_bits(a as u16).to_f32())),
        "cvt.rn.f16.f32" => unary(|a| match f(a) {
            x if x.is_nan() => 0x7fff,
            x => f16::from_f32(x).to_bits().into(),
        }),
        "cvt.f64.f32" => unary(|a| from_d(f(a).into())),
        "cvt.rn.f32.f64" => unary(|a| from_f(d(a) as f32)),
        // Saturates; a NaN becomes 0.
        "cvt.rzi.s32.f32" => unary(|a| u64::from(f(a) as i32 as u32)),
        _ => return None,
    })
}

/// `cvt.TO.FROM`: extended as FROM has it, cut to the register of TO.
fn integers(opcode: &str) -> Compute {
    let [_, to, from] = opcode.split('.').collect::<Vec<_>>()[..] else { panic!("{opcode}") };
    let (mask, width, signed) = (mask(bits(to)), bits(from), from.starts_with('s'));
    let unsigned = u64::MAX >> (64 - width);
    unary(move |a| mask & if signed { sign_extend(a, width).cast_unsigned() } else { a & unsigned })
}
