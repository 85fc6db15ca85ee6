//! Tensor descriptions.

use super::cursor::{Cursor, product};
use super::{GgmlType, GgufError, GgufErrorKind};

/// Longest tensor name, in bytes: ggml's names end in a zero byte within 64.
const MAX_NAME: usize = 63;

/// What the file says about one tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TensorInfo<'w> {
    /// The tensor's name.
    pub name: &'w str,
    /// The element type.
    pub ggml_type: GgmlType,
    /// Where the tensor begins, in bytes from the start of the data section.
    pub offset: u64,
    /// Those that are not there are 1.
    pub(super) dims: [u64; 4],
    n_dims: usize,
}

impl<'w> TensorInfo<'w> {
    /// One to four dimensions, none of them 0. The first is the contiguous one: the row.
    pub fn dims(&self) -> &[u64] {
        self.dims.get(..self.n_dims).unwrap_or_default()
    }

    /// Number of elements; fits, the file being checked.
    pub fn elements(&self) -> u64 {
        self.checked_elements().unwrap_or(u64::MAX)
    }

    /// Size in bytes; `None` if the type is unknown.
    pub fn byte_len(&self) -> Option<u64> {
        // A shift: division is software where it is 64 bits wide.
        let blocks = self.elements() >> self.ggml_type.block_len_log2()?;
        product(blocks, self.ggml_type.block_bytes()?)
    }

    fn checked_elements(&self) -> Option<u64> {
        self.dims().iter().try_fold(1, |elements, &dim| product(elements, dim))
    }

    /// Reads one description and checks all that concerns it alone.
    pub(super) fn read(cursor: &mut Cursor<'w>) -> Result<Self, GgufError> {
        let at_name = *cursor;
        let name = cursor.string()?;
        if name.is_empty() || name.len() > MAX_NAME {
            return Err(at_name.error(GgufErrorKind::TensorNameLength(name.len() as u64)));
        }
        let (dims, n_dims) = read_dims(cursor)?;
        let at_type = *cursor;
        let ggml_type = GgmlType(cursor.u32()?);
        let info = TensorInfo { name, ggml_type, offset: cursor.u64()?, dims, n_dims };
        info.check_size(at_type)?;
        Ok(info)
    }

    fn check_size(&self, at_type: Cursor<'_>) -> Result<(), GgufError> {
        let overflow = at_type.error(GgufErrorKind::Overflow);
        self.checked_elements().ok_or(overflow)?;
        let Some(block_len) = self.ggml_type.block_len() else {
            return Ok(());
        };
        let row = self.dims().first().copied().unwrap_or(0);
        if row & (block_len - 1) != 0 {
            return Err(at_type.error(GgufErrorKind::PartialBlock));
        }
        self.byte_len().ok_or(overflow).map(|_| ())
    }
}

fn read_dims(cursor: &mut Cursor<'_>) -> Result<([u64; 4], usize), GgufError> {
    let here = *cursor;
    let count = cursor.u32()?;
    let mut dims = [1; 4];
    let n_dims = usize::try_from(count).unwrap_or(usize::MAX);
    let used = if n_dims == 0 { None } else { dims.get_mut(..n_dims) };
    for dim in used.ok_or(here.error(GgufErrorKind::DimensionCount(count)))? {
        let at_dim = *cursor;
        *dim = cursor.u64()?;
        if *dim == 0 {
            return Err(at_dim.error(GgufErrorKind::ZeroDimension));
        }
    }
    Ok((dims, n_dims))
}

/// The descriptions of a checked file, in file order.
#[derive(Clone, Debug)]
pub struct Tensors<'w> {
    pub(super) cursor: Cursor<'w>,
    pub(super) left: usize,
}

impl<'w> Iterator for Tensors<'w> {
    type Item = TensorInfo<'w>;

    fn next(&mut self) -> Option<TensorInfo<'w>> {
        self.left = self.left.checked_sub(1)?;
        TensorInfo::read(&mut self.cursor).ok()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Tensors<'_> {}
