//! `generation_config.json`, and what `config.json` says about the ids of special tokens.

use std::format;
use std::path::Path;
use std::string::String;
use std::vec::Vec;

use serde_json::Value;

use super::HfError;
use super::file::read_object;
use crate::checkpoint::Sampling;

/// How a model's authors generate.
#[derive(Debug, Default)]
pub(super) struct Generation {
    /// `eos_token_id` of all places, those of `generation_config.json` first.
    pub(super) ends: Vec<u32>,
    pub(super) bos: Option<u32>,
    pub(super) pad: Option<u32>,
    pub(super) sampling: Sampling,
}

impl Generation {
    /// Reads the files of `dir`.
    pub(super) fn read(dir: &Path) -> Result<Self, HfError> {
        let mut all = Generation::default();
        let path = dir.join("generation_config.json");
        let refuse = |reason: String| HfError::Tokenizer { path: path.clone(), reason };
        let settings = read_object(&path)?;
        all.take_ids(&settings).map_err(refuse)?;
        all.sampling = sampling(&settings).map_err(refuse)?;
        let path = dir.join("config.json");
        let refuse = |reason: String| HfError::Tokenizer { path: path.clone(), reason };
        let config = read_object(&path)?;
        // Models with several parts have the ids in either place.
        for part in [&config, &config["text_config"]] {
            all.take_ids(part).map_err(refuse)?;
        }
        Ok(all)
    }

    fn take_ids(&mut self, part: &Value) -> Result<(), String> {
        self.ends.extend(ids(part, "eos_token_id")?);
        let first = |key| ids(part, key).map(|ids| ids.first().copied());
        self.bos = self.bos.or(first("bos_token_id")?);
        self.pad = self.pad.or(first("pad_token_id")?);
        Ok(())
    }
}

/// The ids under `key`: one, or a list. Nothing and -1 are none.
fn ids(part: &Value, key: &str) -> Result<Vec<u32>, String> {
    let id = |value: &Value| {
        let id = value.as_f64().filter(|id| (-1.0..=f64::from(i32::MAX)).contains(id));
        let whole = id.filter(|id| f64::from(*id as i64 as i32) == *id);
        whole.ok_or_else(|| format!("`{key}` has {value}, which is not the id of a token"))
    };
    let list = match &part[key] {
        Value::Null => return Ok(Vec::new()),
        Value::Array(list) => list.iter().map(id).collect::<Result<Vec<_>, _>>()?,
        one => std::vec![id(one)?],
    };
    Ok(list.into_iter().filter(|&id| id >= 0.0).map(|id| id as u32).collect())
}

/// What `generation_config.json` says about sampling.
fn sampling(settings: &Value) -> Result<Sampling, String> {
    // In the order of `Sampling`. Nothing is said of the window of the penalty, which is all.
    const WINDOW: usize = 5;
    let keys = ["temperature", "top_k", "top_p", "min_p", "repetition_penalty", "", "typical_p"];
    let mut values = [None; 7];
    for (key, value) in keys.into_iter().zip(&mut values) {
        *value = match &settings[key] {
            Value::Null => None,
            number => Some(number.as_f64().ok_or(format!("`{key}` is {number}, not a number"))?),
        };
    }
    if settings["do_sample"] == false {
        values[0] = Some(0.0);
    }
    values[WINDOW] = values[4].map(|_| -1.0);
    // Named one by one: the sentence is to say which.
    for (place, key) in keys.into_iter().enumerate() {
        let mut alone = [None; 7];
        alone[place] = values[place];
        if Sampling::checked(alone).is_none() {
            return Err(format!("`{key}` is {}, which no sampler can use", settings[key]));
        }
    }
    Ok(Sampling::checked(values).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::vec;

    #[test]
    fn ids_in_every_spelling() {
        let ids = |value: Value| ids(&json!({"eos_token_id": value}), "eos_token_id");
        assert_eq!(ids(json!(null)), Ok(vec![]));
        assert_eq!(ids(json!(-1)), Ok(vec![]));
        assert_eq!(ids(json!(68)), Ok(vec![68]));
        assert_eq!(ids(json!([2, 68.0, -1, 72])), Ok(vec![2, 68, 72]));
        for bad in [json!(-5), json!("2"), json!([2, [3]]), json!(2.5), json!(1e300)] {
            let problem = ids(bad).unwrap_err();
            assert!(problem.contains("not the id of a token"), "{problem}");
        }
    }

    #[test]
    fn sampling_is_greedy_where_the_authors_say_so() {
        let of = |value: Value| sampling(&value);
        let card = json!({"do_sample": true, "temperature": 0.8, "top_p": 0.9, "top_k": null});
        let read = of(card).unwrap();
        assert_eq!((read.temperature, read.top_p, read.top_k), (Some(0.8), Some(0.9), None));
        let greedy = of(json!({"do_sample": false, "temperature": 0.8})).unwrap();
        assert_eq!(greedy.temperature, Some(0.0));
        let typical = of(json!({"typical_p": 0.5, "repetition_penalty": 1.2})).unwrap();
        assert_eq!((typical.typical_p, typical.penalty_last_n), (Some(0.5), Some(-1)));
        let problem = of(json!({"top_p": 7})).unwrap_err();
        assert_eq!(problem, "`top_p` is 7, which no sampler can use");
    }
}
