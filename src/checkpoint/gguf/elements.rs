//! The elements of metadata arrays: iterators over the file's own bytes.

use super::cursor::Cursor;
use super::value::{Array, Value};
use crate::names::ValueType;

impl<'w> Array<'w> {
    /// The elements.
    pub const fn iter(&self) -> Elements<'w> {
        Elements {
            cursor: Cursor::new(self.bytes, 0),
            element_type: self.element_type,
            left: self.len,
        }
    }

    /// Element `index`.
    pub fn get(&self, index: usize) -> Option<Value<'w>> {
        self.iter().nth(index)
    }

    /// The elements of an array of strings, if all of them are UTF-8.
    pub fn strs(&self) -> Option<impl Iterator<Item = &'w str> + Clone + use<'w>> {
        self.converted(ValueType::Str, |value| value.as_str())
    }

    /// The elements of an array of numbers, as [`Value::as_f32`] has them.
    pub fn f32s(&self) -> Option<impl ExactSizeIterator<Item = f32> + Clone + use<'w>> {
        self.converted(ValueType::F32, |value| value.as_f32())
    }

    /// The elements of an array of integers, if all of them fit.
    pub fn u32s(&self) -> Option<impl ExactSizeIterator<Item = u32> + Clone + use<'w>> {
        self.converted(ValueType::U32, |value| value.as_u32())
    }

    /// The elements of an array of integers, if all of them fit.
    pub fn i32s(&self) -> Option<impl ExactSizeIterator<Item = i32> + Clone + use<'w>> {
        self.converted(ValueType::I32, |value| value.as_i32())
    }

    /// The elements as another type, if each has a value there. Those of type `exact` are known
    /// to, strings apart.
    fn converted<T: Default>(
        &self,
        exact: ValueType,
        convert: fn(&Value<'w>) -> Option<T>,
    ) -> Option<impl ExactSizeIterator<Item = T> + Clone + use<'w, T>> {
        let known = self.element_type == exact && exact != ValueType::Str;
        let fits = known || self.iter().all(|value| convert(&value).is_some());
        let typed = !self.is_empty() || self.could_be(exact);
        (fits && typed).then(|| self.iter().map(move |value| convert(&value).unwrap_or_default()))
    }

    /// Whether the type of the elements, of which there are none, is one that converts.
    fn could_be(&self, exact: ValueType) -> bool {
        match exact {
            ValueType::Str => self.element_type == ValueType::Str,
            ValueType::F32 => self.element_type.is_number(),
            _ => self.element_type.is_integer(),
        }
    }
}

impl<'w> IntoIterator for Array<'w> {
    type Item = Value<'w>;
    type IntoIter = Elements<'w>;

    fn into_iter(self) -> Elements<'w> {
        self.iter()
    }
}

/// The elements of an [`Array`].
#[derive(Clone, Debug)]
pub struct Elements<'w> {
    cursor: Cursor<'w>,
    element_type: ValueType,
    left: usize,
}

impl<'w> Iterator for Elements<'w> {
    type Item = Value<'w>;

    fn next(&mut self) -> Option<Value<'w>> {
        self.left = self.left.checked_sub(1)?;
        Value::read_scalar(&mut self.cursor, self.element_type).ok()
    }

    fn nth(&mut self, n: usize) -> Option<Value<'w>> {
        match self.element_type.size() {
            // Of one size: stepped over.
            Some(size) => {
                self.left = self.left.checked_sub(n)?;
                self.cursor.take(size.checked_mul(n as u64)?).ok()?;
            }
            None => {
                for _ in 0..n {
                    self.next()?;
                }
            }
        }
        self.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Elements<'_> {}
