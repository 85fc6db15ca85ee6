//! Slices of equal length divided among threads.

use crate::Error;
use crate::compute::{Executor, SERIAL};
use crate::kernels::{AlphaSums, LengthError};

/// Where slices are divided: at multiples of it.
pub(super) const TILE: usize = AlphaSums::TILE;

/// Slices of one length, and for each tile of them a sum, or no sums at all.
pub(super) struct Part<'a, T, const FROM: usize, const TO: usize> {
    pub from: [&'a [T]; FROM],
    pub to: [&'a mut [T]; TO],
    pub sums: &'a mut [AlphaSums],
}

impl<T, const FROM: usize, const TO: usize> Part<'_, T, FROM, TO> {
    fn len(&self) -> usize {
        let read = self.from.first().map(|slice| slice.len());
        read.or(self.to.first().map(|slice| slice.len())).unwrap_or(0)
    }

    /// `Err` unless all slices have one length.
    fn checked(self) -> Result<Self, Error> {
        let expected = self.len();
        let lengths = self.from.iter().map(|s| s.len()).chain(self.to.iter().map(|s| s.len()));
        for found in lengths {
            if found != expected {
                return Err(LengthError { expected, found }.into());
            }
        }
        Ok(self)
    }

    /// The tiles before `tile`, and the others.
    fn split_at(self, tile: usize) -> (Self, Self) {
        let Part { mut from, to, sums } = self;
        let at = tile.saturating_mul(TILE);
        let mut from_right = from;
        for (left, right) in from.iter_mut().zip(&mut from_right) {
            (*left, *right) = left.split_at(at.min(left.len()));
        }
        let mut to_right = [(); TO].map(|()| <&mut [T]>::default());
        let mut to_left = to;
        for (left, right) in to_left.iter_mut().zip(&mut to_right) {
            let whole = core::mem::take(left);
            let middle = at.min(whole.len());
            (*left, *right) = whole.split_at_mut(middle);
        }
        let middle = tile.min(sums.len());
        let (sums, sums_right) = sums.split_at_mut(middle);
        (
            Part { from, to: to_left, sums },
            Part { from: from_right, to: to_right, sums: sums_right },
        )
    }
}

/// What computes a part.
pub(super) type Work<'w, T, const FROM: usize, const TO: usize> =
    &'w (dyn Fn(Part<'_, T, FROM, TO>) -> Result<(), Error> + Sync);

/// Calls `work` for each of the parts that the executor's threads are worth.
///
/// # Errors
/// If the lengths differ, before anything is called; and those of `work`.
pub(super) fn divide<T: Send + Sync, const FROM: usize, const TO: usize>(
    executor: &dyn Executor,
    whole: Part<'_, T, FROM, TO>,
    work: Work<'_, T, FROM, TO>,
) -> Result<(), Error> {
    split(executor, whole.checked()?, executor.threads(), work)
}

fn split<T: Send + Sync, const FROM: usize, const TO: usize>(
    executor: &dyn Executor,
    whole: Part<'_, T, FROM, TO>,
    parts: usize,
    work: Work<'_, T, FROM, TO>,
) -> Result<(), Error> {
    let tiles = whole.len().div_ceil(TILE);
    if SERIAL || parts < 2 || tiles < 2 {
        return work(whole);
    }
    let left_parts = parts / 2;
    let (left, right) = whole.split_at((tiles * left_parts / parts).max(1));
    let (mut left, mut right) = (Some(left), Some(right));
    let (mut a, mut b) = (Ok(()), Ok(()));
    executor.join(
        &mut || {
            if let Some(left) = left.take() {
                a = split(executor, left, left_parts, work);
            }
        },
        &mut || {
            if let Some(right) = right.take() {
                b = split(executor, right, parts - left_parts, work);
            }
        },
    );
    a.and(b)
}
