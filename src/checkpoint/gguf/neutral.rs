//! Keys that change what llama.cpp computes and that this decoder has nothing for: they may be
//! there with the value that changes nothing, and are refused with any other.
//!
//! From llama.cpp's table of keys (`src/llama-arch.cpp`): those that its graphs or hyperparameters
//! read for any architecture, since a file with one of them needs more than a plain decoder.
//! Not here: what only informs (`rope.scaling.finetuned`, `rope.scaling.original_context_length`,
//! `tensor_data_layout`, YaRN's ramp without its type), what goes with experts or a sliding window,
//! of which there are none; what comes with tensors that no plain decoder has (low-rank attention,
//! shared experts, predicted tokens), which are refused themselves; and what this reader reads.

use super::{Value, typed};
use crate::{Error, Key};

/// What a key may say.
#[derive(Clone, Copy)]
enum Neutral {
    /// 0, or in every layer 0.
    Zero,
    /// 1.
    One,
    /// 1, or 0, which llama.cpp takes as not given.
    OneOrNone,
    /// 0, or a negative number, which llama.cpp takes as not given.
    ZeroOrNone,
    False,
    True,
}

const KEYS: [(&str, Neutral); 23] = [
    ("attention.causal", Neutral::True),
    ("attention.clamp_kqv", Neutral::Zero),
    ("attention.max_alibi_bias", Neutral::Zero),
    ("attention.output_scale", Neutral::OneOrNone),
    ("attention.shared_kv_layers", Neutral::Zero),
    ("attention.temperature_length", Neutral::Zero),
    ("attention.temperature_scale", Neutral::Zero),
    ("attn_logit_softcapping", Neutral::Zero),
    ("embedding_scale", Neutral::OneOrNone),
    ("final_logit_softcapping", Neutral::Zero),
    ("logit_scale", Neutral::OneOrNone),
    ("pooling_type", Neutral::ZeroOrNone),
    ("post_norm", Neutral::False),
    ("residual_scale", Neutral::OneOrNone),
    ("rope.dimension_sections", Neutral::Zero),
    ("rope.scaling.alpha", Neutral::OneOrNone),
    ("rope.scaling.attn_factor", Neutral::One),
    ("rope.scaling.yarn_attn_factor", Neutral::One),
    ("rope.scaling.yarn_ext_factor", Neutral::ZeroOrNone),
    ("rope.scaling.yarn_log_multiplier", Neutral::Zero),
    ("swiglu_clamp_exp", Neutral::Zero),
    ("swin_norm", Neutral::False),
    ("use_parallel_residual", Neutral::False),
];

/// Refuses the pair if it needs what is not computed; `name` is the key without its `prefix`.
pub(super) fn check(prefix: Key, name: &str, value: Value<'_>) -> Result<(), Error> {
    let Some(&(name, neutral)) = KEYS.iter().find(|(known, _)| *known == name) else {
        return Ok(());
    };
    let key = Key { name, ..prefix };
    match value.as_array() {
        None => neutral.check(key, value),
        Some(array) => array.iter().try_for_each(|value| neutral.check(key, value)),
    }
}

impl Neutral {
    /// `Err` unless `value` changes nothing.
    fn check(self, key: Key, value: Value<'_>) -> Result<(), Error> {
        let (neutral, problem) = match self {
            Neutral::False => (!typed::boolean(key, value)?, "is true: that is not computed"),
            Neutral::True => (typed::boolean(key, value)?, "is false: that is not computed"),
            _ => {
                let number = typed::number(key, value)?;
                let (one, none) = match self {
                    Neutral::Zero => (0.0, false),
                    Neutral::One => (1.0, false),
                    Neutral::OneOrNone => (1.0, number == 0.0),
                    _ => (0.0, number < 0.0),
                };
                let problem = if one == 0.0 { "is not 0" } else { "is not 1" };
                (number == one || none, problem)
            }
        };
        if neutral { Ok(()) } else { Err(Error::BadKey { key, problem }) }
    }
}
