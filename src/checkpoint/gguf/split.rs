//! A model in several files, as llama.cpp's `gguf-split` writes them: metadata in the first part,
//! tensors in any, and in each part the keys `split.no`, `split.count` and `split.tensors.count`.

use super::unique::first_repeated;
use super::{Gguf, TensorInfo, Value};
use crate::error::SplitError;
use crate::{Error, ShortName};

/// What all parts say alike, where they say it.
const SHARED: [&str; 5] =
    ["split.count", "split.tensors.count", "general.architecture", "general.name", "general.uuid"];

/// The parts of a model, in order: a [`Checkpoint`](crate::checkpoint::Checkpoint). Nothing is
/// copied; the caller keeps the parsed parts.
#[derive(Clone, Copy, Debug)]
pub struct SplitGguf<'p, 'w> {
    /// One at least.
    pub(in crate::checkpoint) parts: &'p [Gguf<'w>],
}

impl<'p, 'w> SplitGguf<'p, 'w> {
    /// The model whose parts are `parts`, first to last. A file that is not split is the only
    /// part of its model.
    ///
    /// # Errors
    /// [`Error::Split`] if they are not all parts of one model in their order, or a tensor is in
    /// two of them; [`Error::KeyType`] or [`Error::BadKey`] if a key of theirs cannot be read.
    pub fn new(parts: &'p [Gguf<'w>]) -> Result<Self, Error> {
        let split = SplitGguf { parts };
        let first = split.first()?;
        let expected = match parts {
            [_] => first.part_count()?,
            _ => first.read_size("split.count")?.ok_or(SplitError::NotSplit { part: 1 })?,
        };
        if parts.len() != expected {
            return Err(SplitError::Count { expected, found: parts.len() }.into());
        }
        if expected > 1 {
            split.check_numbers()?;
            split.check_agreement(first)?;
            split.check_tensors(first)?;
        }
        Ok(split)
    }

    /// The first part, which has the metadata.
    pub(super) fn first(&self) -> Result<&'p Gguf<'w>, Error> {
        self.parts.first().ok_or(SplitError::Count { expected: 1, found: 0 }.into())
    }

    /// The parts, first to last; the first has the metadata.
    pub const fn parts(&self) -> &'p [Gguf<'w>] {
        self.parts
    }

    /// All tensors, each with the part it is in.
    pub fn tensors(&self) -> impl Iterator<Item = (&'p Gguf<'w>, TensorInfo<'w>)> + Clone {
        let in_part = |part: &'p Gguf<'w>| part.tensors().map(move |info| (part, info));
        self.parts.iter().flat_map(in_part)
    }

    fn check_numbers(&self) -> Result<(), Error> {
        for (i, part) in self.parts.iter().enumerate() {
            let number = part.read_size("split.no")?;
            let number = number.ok_or(SplitError::NotSplit { part: i + 1 })?;
            if number != i {
                let found = number.saturating_add(1);
                return Err(SplitError::Order { part: i + 1, found }.into());
            }
        }
        Ok(())
    }

    fn check_agreement(&self, first: &Gguf<'w>) -> Result<(), Error> {
        let expected = SHARED.map(|key| first.get(key));
        for (i, part) in self.parts.iter().enumerate() {
            for (key, value) in part.metadata() {
                let of_first = SHARED.iter().zip(expected).find(|(shared, _)| **shared == key);
                let Some((key, Some(of_first))) = of_first else { continue };
                if !same(of_first, value) {
                    return Err(SplitError::OtherModel { part: i + 1, key }.into());
                }
            }
        }
        Ok(())
    }

    fn check_tensors(&self, first: &Gguf<'w>) -> Result<(), Error> {
        let names = self.tensors().enumerate().map(|(i, (_, info))| (i, info.name));
        if let Some((_, info)) = first_repeated(&names).and_then(|i| self.tensors().nth(i)) {
            let parts = self.parts.iter().enumerate();
            let mut holding = parts.filter(|(_, part)| part.tensor_info(info.name).is_some());
            let mut next = || holding.next().map_or(0, |(i, _)| i + 1);
            let (name, parts) = (ShortName::new(info.name), [next(), next()]);
            return Err(SplitError::Duplicate { name, parts }.into());
        }
        let found = self.parts.iter().map(|part| part.tensors().len() as u64).sum();
        match first.read_size("split.tensors.count")? {
            Some(expected) if expected as u64 != found => {
                Err(SplitError::Tensors { expected: expected as u64, found }.into())
            }
            _ => Ok(()),
        }
    }
}

/// Whether two values say the same, whatever their types.
fn same(a: Value<'_>, b: Value<'_>) -> bool {
    match (a.as_u64(), b.as_u64()) {
        (Some(a), Some(b)) => a == b,
        _ => a == b,
    }
}

impl<'w> Gguf<'w> {
    /// Of how many parts this file is one; 1 for a whole model.
    ///
    /// # Errors
    /// If `split.count` is not an integer.
    pub fn part_count(&self) -> Result<usize, Error> {
        // 0 is what llama.cpp's tool writes before it knows.
        Ok(self.read_size("split.count")?.unwrap_or(1).max(1))
    }
}

impl<'p, 'w> From<&'p Gguf<'w>> for SplitGguf<'p, 'w> {
    fn from(gguf: &'p Gguf<'w>) -> Self {
        SplitGguf { parts: core::slice::from_ref(gguf) }
    }
}
