//! Why files are not the parts of one model.

use super::ShortName;

/// Why files are not the parts of one model. Parts are counted from 1, as in their names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SplitError {
    /// More or fewer parts than the model has.
    Count {
        /// Parts of the model.
        expected: usize,
        /// Parts that were given.
        found: usize,
    },
    /// A part does not say which it is.
    NotSplit {
        /// Its place.
        part: usize,
    },
    /// A part is in the place of another.
    Order {
        /// The place.
        part: usize,
        /// Which it is.
        found: usize,
    },
    /// A part contradicts the first.
    OtherModel {
        /// Its place.
        part: usize,
        /// The key they disagree on.
        key: &'static str,
    },
    /// The tensors are not as many as the parts say.
    Tensors {
        /// By the metadata.
        expected: u64,
        /// In the parts.
        found: u64,
    },
    /// Two parts hold the same tensor.
    Duplicate {
        /// Its name, or its beginning.
        name: ShortName,
        /// Both parts.
        parts: [usize; 2],
    },
}

crate::kernels::messages!(SplitError {
    SplitError::Count { expected, found } => (
        "the model is split over {} files, not {}", expected, found,
    ),
    SplitError::NotSplit { part } => (
        "part {} does not say which part of a model it is (`split.no`)", part,
    ),
    SplitError::Order { part, found } => (
        "in the place of part {} there is part {}", part, found,
    ),
    SplitError::OtherModel { part, key } => (
        "part {} is of another model than part 1: its `{}` differs", part, key,
    ),
    SplitError::Tensors { expected, found } => (
        "the parts hold {} tensors, `split.tensors.count` says {}", found, expected,
    ),
    SplitError::Duplicate { name, parts: [a, b] } => (
        "tensor {} is in part {} and in part {}", name, a, b,
    ),
});

impl core::error::Error for SplitError {}
