//! A position in the file; every read is checked and says where it failed.

use super::{GgufError, GgufErrorKind};

/// `a * b` if it fits. One copy, for targets on which it is two dozen instructions.
#[inline(never)]
pub(super) fn product(a: u64, b: u64) -> Option<u64> {
    a.checked_mul(b)
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor<'w> {
    bytes: &'w [u8],
    position: usize,
}

impl<'w> Cursor<'w> {
    pub(super) const fn new(bytes: &'w [u8], position: usize) -> Self {
        Cursor { bytes, position }
    }

    pub(super) const fn position(&self) -> usize {
        self.position
    }

    /// Another position in the same bytes.
    pub(super) const fn at(&self, position: usize) -> Self {
        Cursor { bytes: self.bytes, position }
    }

    /// The position `count` bytes ago.
    pub(super) const fn back(&self, count: usize) -> Self {
        Cursor { bytes: self.bytes, position: self.position.saturating_sub(count) }
    }

    /// An error at this position.
    pub(super) const fn error(&self, kind: GgufErrorKind) -> GgufError {
        GgufError { kind, offset: self.position as u64 }
    }

    /// The next `count` bytes.
    pub(super) fn take(&mut self, count: u64) -> Result<&'w [u8], GgufError> {
        #[cfg(all(test, feature = "std"))]
        super::work::count();
        if (self.position as u64).checked_add(count).is_none() {
            return Err(self.error(GgufErrorKind::Overflow));
        }
        let end = usize::try_from(count).ok().and_then(|n| self.position.checked_add(n));
        let taken = end.and_then(|end| Some((end, self.bytes.get(self.position..end)?)));
        let (end, bytes) = taken.ok_or(self.error(GgufErrorKind::Truncated))?;
        self.position = end;
        Ok(bytes)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], GgufError> {
        let truncated = self.error(GgufErrorKind::Truncated);
        let bytes = self.take(N as u64)?;
        bytes.first_chunk().copied().ok_or(truncated)
    }

    /// The next number of `size` bytes, at most 8.
    pub(super) fn little_endian(&mut self, size: u64) -> Result<u64, GgufError> {
        let bytes = self.take(size)?;
        Ok(bytes.iter().rev().fold(0, |number, &byte| (number << 8) | u64::from(byte)))
    }

    // Inlined it is smaller than its calls.
    #[inline(always)]
    pub(super) fn u32(&mut self) -> Result<u32, GgufError> {
        self.little_endian(4).map(|number| number as u32)
    }

    pub(super) fn u64(&mut self) -> Result<u64, GgufError> {
        self.little_endian(8)
    }

    /// A length and that many bytes; the error is at the length.
    pub(super) fn length_prefixed(&mut self) -> Result<&'w [u8], GgufError> {
        let mut ahead = *self;
        let length = ahead.u64()?;
        let bytes = ahead.take(length).map_err(|e| self.error(e.kind))?;
        *self = ahead;
        Ok(bytes)
    }

    pub(super) fn string(&mut self) -> Result<&'w str, GgufError> {
        let bad = self.error(GgufErrorKind::BadUtf8);
        core::str::from_utf8(self.length_prefixed()?).map_err(|_| bad)
    }
}
