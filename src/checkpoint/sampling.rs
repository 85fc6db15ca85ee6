//! How a model's authors sample from it.

use super::gguf::{Gguf, Value};
use crate::Error;

/// Settings of a sampler that a model's files recommend: `generation_config.json`, or the keys
/// `general.sampling.*` of a GGUF file, named as llama.cpp names them. `None` where they say
/// nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sampling {
    /// `temp`: 0 always takes the likeliest token.
    pub temperature: Option<f32>,
    /// `top_k`: 0 takes all.
    pub top_k: Option<u32>,
    /// `top_p`: above 0, at most 1.
    pub top_p: Option<f32>,
    /// `min_p`: at least this share of the likeliest token's probability.
    pub min_p: Option<f32>,
    /// `penalty_repeat`: what the logits of tokens that have occurred are divided by.
    pub repetition_penalty: Option<f32>,
    /// `penalty_last_n`: among how many of the last tokens; -1 is all, as transformers has it.
    pub penalty_last_n: Option<i32>,
    /// `typical_p`, which is no key of llama.cpp's: above 0, at most 1.
    pub typical_p: Option<f32>,
}

/// The keys, in the order of [`Sampling`]'s fields.
pub(crate) const KEYS: [&str; 7] = [
    "general.sampling.temp",
    "general.sampling.top_k",
    "general.sampling.top_p",
    "general.sampling.min_p",
    "general.sampling.penalty_repeat",
    "general.sampling.penalty_last_n",
    "general.sampling.typical_p",
];

impl Sampling {
    /// What a GGUF file recommends.
    ///
    /// # Errors
    /// If a key holds something other than a number in its range.
    pub fn from_gguf(gguf: &Gguf<'_>) -> Result<Self, Error> {
        let number = |value: Option<Value<'_>>| value.map(|v| as_f64(v).unwrap_or(f64::NAN));
        Self::checked(KEYS.map(|key| number(gguf.get(key))))
            .ok_or(Error::Config("a key general.sampling.* is no number in its range"))
    }

    /// Whether the files recommend anything.
    pub fn is_empty(&self) -> bool {
        *self == Sampling::default()
    }

    /// From numbers in the order of the fields; `None` if one is out of its range.
    pub(crate) fn checked(values: [Option<f64>; 7]) -> Option<Self> {
        let [temperature, top_k, top_p, min_p, penalty, last_n, typical_p] = values;
        // -1 and 0 both mean all tokens.
        let top_k = top_k.map(|k| if k == -1.0 { 0.0 } else { k });
        let within = |value: Option<f64>, ok: fn(f64) -> bool| value.is_none_or(ok);
        let whole = |k: f64| (0.0..=f64::from(u32::MAX)).contains(&k) && f64::from(k as u32) == k;
        let window = |n: f64| (-1.0..=f64::from(i32::MAX)).contains(&n) && f64::from(n as i32) == n;
        let fine = within(temperature, |t| (0.0..=1e6).contains(&t))
            && top_k.is_none_or(whole)
            && within(top_p, |p| p > 0.0 && p <= 1.0)
            && within(min_p, |p| (0.0..=1.0).contains(&p))
            && within(penalty, |p| p > 0.0 && p <= 1e6)
            && last_n.is_none_or(window)
            && within(typical_p, |p| p > 0.0 && p <= 1.0);
        fine.then_some(Sampling {
            temperature: temperature.map(|t| t as f32),
            top_k: top_k.map(|k| k as u32),
            top_p: top_p.map(|p| p as f32),
            min_p: min_p.map(|p| p as f32),
            repetition_penalty: penalty.map(|p| p as f32),
            penalty_last_n: last_n.map(|n| n as i32),
            typical_p: typical_p.map(|p| p as f32),
        })
    }
}

/// A number of any type.
fn as_f64(value: Value<'_>) -> Option<f64> {
    match value {
        Value::F32(v) => Some(v.into()),
        Value::F64(v) => Some(v),
        Value::I8(v) => Some(v.into()),
        Value::I16(v) => Some(v.into()),
        Value::I32(v) => Some(v.into()),
        Value::I64(v) => Some(v as f64),
        value => value.as_u64().map(|v| v as f64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_ranges() {
        let empty = Sampling::checked([None; 7]);
        assert_eq!(empty, Some(Sampling::default()));
        let all = [0.7, -1.0, 0.9, 0.0, 1.1, -1.0, 0.5].map(Some);
        let all = Sampling::checked(all);
        assert_eq!(all.and_then(|s| s.top_k), Some(0));
        for (place, bad) in [
            (0, -0.1),
            (0, f64::NAN),
            (1, 0.5),
            (1, -2.0),
            (2, 0.0),
            (2, 1.1),
            (3, 2.0),
            (4, 0.0),
            (5, -2.0),
            (5, 0.5),
            (6, 0.0),
            (6, 1.5),
        ] {
            let mut values = [None; 7];
            values[place] = Some(bad);
            assert_eq!(Sampling::checked(values), None, "{place} {bad}");
        }
    }
}
