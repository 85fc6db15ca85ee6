//! Metadata values as the types that keys must have: an error that names the key otherwise.

use super::{Gguf, Value, ValueType};
use crate::{Error, Key};

impl<'w> Gguf<'w> {
    /// The value of `key`, `None` if there is no such key.
    ///
    /// # Errors
    /// If it is not a string, or not UTF-8.
    pub fn read_str(&self, key: &'static str) -> Result<Option<&'w str>, Error> {
        self.get(key).map(|value| string(key.into(), value)).transpose()
    }

    /// The value of `key`, `None` if there is no such key.
    ///
    /// # Errors
    /// If it is not an integer, or does not fit.
    pub fn read_u32(&self, key: &'static str) -> Result<Option<u32>, Error> {
        let problem = "does not fit 32 bits without a sign";
        let narrow = |value| u32::try_from(size(key.into(), value)?).map_err(|_| bad(key, problem));
        self.get(key).map(narrow).transpose()
    }

    pub(super) fn read_size(&self, key: &'static str) -> Result<Option<usize>, Error> {
        self.get(key).map(|value| size(key.into(), value)).transpose()
    }

    /// The value of `key`, rounded; `None` if there is no such key.
    ///
    /// # Errors
    /// If it is not a number, or too large.
    pub fn read_f32(&self, key: &'static str) -> Result<Option<f32>, Error> {
        self.get(key).map(|value| number(key.into(), value)).transpose()
    }

    /// The value of `key`, `None` if there is no such key.
    ///
    /// # Errors
    /// If it is neither a bool nor an integer that is 0 or 1.
    pub fn read_bool(&self, key: &'static str) -> Result<Option<bool>, Error> {
        self.get(key).map(|value| boolean(key.into(), value)).transpose()
    }

    /// The elements of the array `key`, `None` if there is no such key.
    ///
    /// # Errors
    /// If it is not an array of strings, or one of them is not UTF-8.
    pub fn read_strs(
        &self,
        key: &'static str,
    ) -> Result<Option<impl Iterator<Item = &'w str> + Clone + use<'w>>, Error> {
        let Some(value) = self.get(key) else { return Ok(None) };
        let array = value.as_array().filter(|array| array.element_type() == ValueType::Str);
        let array = array.ok_or(wrong_type(key.into(), &value, "an array of strings"))?;
        array.strs().map(Some).ok_or(bad(key, "holds a string that is not UTF-8"))
    }

    /// The elements of the array `key`, `None` if there is no such key.
    ///
    /// # Errors
    /// If it is not an array of integers, or one of them does not fit.
    pub fn read_i32s(
        &self,
        key: &'static str,
    ) -> Result<Option<impl ExactSizeIterator<Item = i32> + Clone + use<'w>>, Error> {
        let Some(value) = self.get(key) else { return Ok(None) };
        let array = value.as_array().filter(|array| array.element_type().is_integer());
        let array = array.ok_or(wrong_type(key.into(), &value, "an array of integers"))?;
        array.i32s().map(Some).ok_or(bad(key, "holds a number that does not fit 32 bits"))
    }
}

fn bad(key: impl Into<Key>, problem: &'static str) -> Error {
    Error::BadKey { key: key.into(), problem }
}

/// The error of a value of another type than its key must have.
pub(super) fn wrong_type(key: Key, value: &Value<'_>, wanted: &'static str) -> Error {
    let elements = value.as_array().map(|array| array.element_type());
    Error::KeyType { key, found: value.value_type(), elements, wanted }
}

pub(super) fn size(key: Key, value: Value<'_>) -> Result<usize, Error> {
    match value.as_u64() {
        Some(number) => usize::try_from(number).map_err(|_| bad(key, "is absurdly large")),
        None if value.as_i64().is_some() => Err(bad(key, "is negative")),
        None => Err(wrong_type(key, &value, "an unsigned integer")),
    }
}

pub(super) fn number(key: Key, value: Value<'_>) -> Result<f32, Error> {
    match value.as_f32() {
        Some(number) => Ok(number),
        None if value.value_type().is_number() => Err(bad(key, "is absurdly large")),
        None => Err(wrong_type(key, &value, "a number")),
    }
}

pub(super) fn boolean(key: Key, value: Value<'_>) -> Result<bool, Error> {
    match value.as_bool() {
        Some(flag) => Ok(flag),
        None if value.value_type().is_integer() => Err(bad(key, "is neither 0 nor 1")),
        None => Err(wrong_type(key, &value, "a bool")),
    }
}

pub(super) fn string(key: Key, value: Value<'_>) -> Result<&str, Error> {
    match value {
        Value::Str(text) => Ok(text),
        Value::BadStr(_) => Err(bad(key, "is not UTF-8")),
        value => Err(wrong_type(key, &value, "a string")),
    }
}

/// One of the activation's scalars for `layer`: a value of its own or one for all layers.
pub(super) fn layer_number(
    key: Key,
    value: Value<'_>,
    layer: usize,
    layers: usize,
) -> Result<f32, Error> {
    let one = match value.as_array() {
        None => Some(value),
        Some(array) if array.len() == layers => array.get(layer),
        Some(array) if array.len() == 1 => array.get(0),
        Some(_) => return Err(bad(key, "has neither one value nor one per layer")),
    };
    let number = one.filter(|one| one.value_type().is_number());
    let number = number.ok_or(wrong_type(key, &value, "a number or an array of numbers"))?;
    let finite = number.as_f32().filter(|number| number.is_finite());
    finite.ok_or(bad(key, "has a value that is not finite"))
}

/// A number given once, or for each of `layers` layers: this decoder's layers are alike.
pub(super) fn single<'w>(
    key: Key,
    value: Value<'w>,
    layers: Option<usize>,
    fits: fn(ValueType) -> bool,
    wanted: &'static str,
) -> Result<Value<'w>, Error> {
    let Some(array) = value.as_array() else { return Ok(value) };
    if !fits(array.element_type()) {
        return Err(wrong_type(key, &value, wanted));
    }
    if layers != Some(array.len()) && array.len() != 1 {
        return Err(bad(key, "has neither one value nor one per layer"));
    }
    let first = array.get(0).ok_or(bad(key, "is empty"))?;
    let number = |value: Value<'_>| (value.as_i64(), value.as_f32().map(f32::to_bits));
    if array.iter().any(|other| number(other) != number(first)) {
        return Err(bad(key, "differs between layers, and this decoder's layers have one shape"));
    }
    Ok(first)
}
