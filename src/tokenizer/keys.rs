//! The keys `tokenizer.*` of a GGUF file, by what they must hold.

use std::format;
use std::string::String;
use std::vec::Vec;

use super::TokenizerError;
use crate::checkpoint::gguf::{Array, Gguf};

/// Optional keys: absent, of a type whose meaning is clear, or an error.
pub(super) struct Keys<'g, 'w>(pub(super) &'g Gguf<'w>);

impl<'w> Keys<'_, 'w> {
    pub(super) fn text(&self, key: &str) -> Result<Option<&'w str>, TokenizerError> {
        let Some(value) = self.0.get(key) else { return Ok(None) };
        value.as_str().map(Some).ok_or_else(|| wrong(key, "a text"))
    }

    fn array(&self, key: &str) -> Result<Option<Array<'w>>, TokenizerError> {
        let Some(value) = self.0.get(key) else { return Ok(None) };
        value.as_array().map(Some).ok_or_else(|| wrong(key, "a list"))
    }

    pub(super) fn texts(&self, key: &str) -> Result<Option<Vec<String>>, TokenizerError> {
        let Some(array) = self.array(key)? else { return Ok(None) };
        let texts: Option<Vec<String>> =
            array.iter().map(|value| value.as_str().map(String::from)).collect();
        texts.map(Some).ok_or_else(|| wrong(key, "a list of texts in UTF-8"))
    }

    /// Integers of any type.
    pub(super) fn numbers(&self, key: &str) -> Result<Option<Vec<i64>>, TokenizerError> {
        let Some(array) = self.array(key)? else { return Ok(None) };
        let numbers: Option<Vec<i64>> = array.iter().map(|value| value.as_i64()).collect();
        numbers.map(Some).ok_or_else(|| wrong(key, "a list of integers"))
    }

    /// The id of a token; -1 is none.
    pub(super) fn id(&self, key: &str) -> Result<Option<u32>, TokenizerError> {
        let Some(value) = self.0.get(key) else { return Ok(None) };
        let id = value.as_i64().ok_or_else(|| wrong(key, "the id of a token"))?;
        Ok(u32::try_from(id).ok())
    }

    pub(super) fn ids(&self, key: &str) -> Result<Option<Vec<u32>>, TokenizerError> {
        let numbers = self.numbers(key)?;
        Ok(numbers.map(|ids| ids.into_iter().filter_map(|id| u32::try_from(id).ok()).collect()))
    }

    pub(super) fn flag(&self, key: &str) -> Result<Option<bool>, TokenizerError> {
        let Some(value) = self.0.get(key) else { return Ok(None) };
        match (value.as_bool(), value.as_i64()) {
            (Some(flag), _) => Ok(Some(flag)),
            (None, Some(number @ (0 | 1))) => Ok(Some(number == 1)),
            _ => Err(wrong(key, "true or false")),
        }
    }
}

fn wrong(key: &str, wanted: &str) -> TokenizerError {
    TokenizerError(format!("the file's {key} is not {wanted}"))
}
