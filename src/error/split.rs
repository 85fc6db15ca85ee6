//! Why files are not the parts of one model.

use core::fmt;

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

impl fmt::Display for SplitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SplitError::Count { expected, found } => {
                write!(f, "the model is split over {expected} files, not {found}")
            }
            SplitError::NotSplit { part } => {
                write!(f, "part {part} does not say which part of a model it is (`split.no`)")
            }
            SplitError::Order { part, found } => {
                write!(f, "in the place of part {part} there is part {found}")
            }
            SplitError::OtherModel { part, key } => {
                write!(f, "part {part} is of another model than part 1: its `{key}` differs")
            }
            SplitError::Tensors { expected, found } => {
                write!(f, "the parts hold {found} tensors, `split.tensors.count` says {expected}")
            }
            SplitError::Duplicate { name, parts: [a, b] } => {
                write!(f, "tensor {} is in part {a} and in part {b}", name.as_str())
            }
        }
    }
}

impl core::error::Error for SplitError {}
