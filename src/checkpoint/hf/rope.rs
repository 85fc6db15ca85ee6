//! Rotary embedding as `config.json` tells it, in old and new spellings.
//!
//! What counts where several keys say the same is what transformers 5 makes of them:
//! `rope_scaling` before `rope_parameters` unless it is null or empty, `rope_type` before `type`,
//! a table's own `rope_theta` before the one beside the table, but
//! `original_max_position_embeddings` beside the table before the table's own.

use std::format;
use std::string::{String, ToString};

use serde_json::{Map, Value};

use super::HfError;
use super::family::Family;
use super::keys::{Keys, number, shown, unsupported};
use crate::config::{Rope, RopeScaling, RopeStyle};

/// The context before scaling; beside a table it counts before the table's own.
const ORIGINAL: &str = "original_max_position_embeddings";

/// The rotary embedding of a model whose context is `context_length`.
pub(super) fn rope(keys: Keys<'_>, family: Family, context_length: usize) -> Result<Rope, HfError> {
    let style = RopeStyle::Neox;
    refuse_partial(keys, "partial_rotary_factor")?;
    refuse_partial(keys, "rotary_pct")?;
    let table = match table(keys)? {
        // Whatever `rope_theta` says: the class has its own table then.
        None if family.is_apertus() => {
            let theta = family.theta() as f32;
            return Ok(Rope { theta, style, scaling: apertus(keys)? });
        }
        table => table.unwrap_or(keys),
    };
    let beside = |key| if table.has(key) { table } else { keys };
    let theta = beside("rope_theta").f32("rope_theta", Some(family.theta()))?;
    refuse_partial(table, "partial_rotary_factor")?;
    Ok(Rope { theta, style, scaling: scaling(table, keys, context_length)? })
}

/// The table that counts, which may be empty; `None` where there is none.
fn table(keys: Keys<'_>) -> Result<Option<Keys<'_>>, HfError> {
    let object = |key: &'static str| match keys.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(table)) => Ok(Some((key, table))),
        Some(other) => Err(unsupported(key, shown(other), "a table or null")),
    };
    let scaling = object("rope_scaling")?.filter(|(_, table)| !table.is_empty());
    let Some((key, table)) = scaling.or(object("rope_parameters")?) else { return Ok(None) };
    refuse_layer_types(key, table)?;
    Ok(Some(Keys::new(table)))
}

/// Tables for each type of layer: no model that is read here has several types, and transformers
/// itself passes such tables over or fails.
fn refuse_layer_types(key: &'static str, table: &Map<String, Value>) -> Result<(), HfError> {
    let nested = table.iter().find(|(_, value)| value.is_object());
    nested.map_or(Ok(()), |(name, _)| {
        let found = format!("a table with a table {name:?} for one type of layer");
        Err(unsupported(key, found, "one table for all layers"))
    })
}

fn refuse_partial(keys: Keys<'_>, key: &'static str) -> Result<(), HfError> {
    match keys.get(key) {
        None | Some(Value::Null) => Ok(()),
        Some(value) if number(value) == Some(1.0) => Ok(()),
        Some(value) => Err(unsupported(key, shown(value), "1.0 (whole heads are rotated)")),
    }
}

fn scaling(table: Keys<'_>, keys: Keys<'_>, context_length: usize) -> Result<RopeScaling, HfError> {
    let kind = if table.has("rope_type") { "rope_type" } else { "type" };
    let factor = || table.required_f32("factor");
    match table.text(kind, "default")? {
        "default" => Ok(RopeScaling::None),
        "linear" => Ok(RopeScaling::Linear { factor: factor()? }),
        "llama3" => {
            let context = if keys.has(ORIGINAL) { keys } else { table };
            let original_context = original_context(context, context_length)?;
            let (low, high) =
                (table.required_f32("low_freq_factor")?, table.required_f32("high_freq_factor")?);
            Ok(RopeScaling::Llama3 {
                factor: factor()?,
                low_freq_factor: low,
                high_freq_factor: high,
                original_context,
            })
        }
        other => Err(unsupported("rope_type", other.into(), "default, linear, llama3")),
    }
}

/// What Apertus has where there is no table.
fn apertus(keys: Keys<'_>) -> Result<RopeScaling, HfError> {
    Ok(RopeScaling::Llama3 {
        factor: 8.0,
        low_freq_factor: 1.0,
        high_freq_factor: 4.0,
        original_context: original_context(keys, 8192)?,
    })
}

fn original_context(keys: Keys<'_>, default: usize) -> Result<u32, HfError> {
    let context = keys.size(ORIGINAL, default)?;
    u32::try_from(context).map_err(|_| unsupported(ORIGINAL, context.to_string(), "less than 2^32"))
}
