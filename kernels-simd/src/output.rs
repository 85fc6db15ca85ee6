//! Where a matrix product is written, splittable among threads.

use core::marker::PhantomData;
use core::ops::Range;

/// A `[tokens, rows]` matrix being written, or a range of its rows.
///
/// Threads share the weight rows of a product, not its tokens, and one row's results for several
/// tokens are not contiguous. [`Output::split_at_row`] gives each thread its own rows of every
/// token, which slices alone cannot express.
#[derive(Debug)]
pub struct Output<'a, T = f32> {
    first: *mut T,
    tokens: usize,
    stride: usize,
    rows: usize,
    _owner: PhantomData<&'a mut [T]>,
}

// SAFETY: an `Output` is a unique borrow of its elements, like `&mut [T]`; parts made by
// `split_at_row` and `split_at_token` are disjoint.
unsafe impl<T: Send> Send for Output<'_, T> {}
// SAFETY: a shared `Output` gives no access to its elements.
unsafe impl<T: Sync> Sync for Output<'_, T> {}

impl<'a, T> Output<'a, T> {
    /// A whole matrix of `rows` per token; `None` if `data` is not a whole number of tokens.
    pub fn new(data: &'a mut [T], rows: usize) -> Option<Self> {
        let tokens = data.len().checked_div(rows)?;
        if tokens * rows != data.len() {
            return None;
        }
        Some(Output { first: data.as_mut_ptr(), tokens, stride: rows, rows, _owner: PhantomData })
    }

    /// Number of tokens.
    pub const fn tokens(&self) -> usize {
        self.tokens
    }

    /// Number of rows in this part.
    pub const fn rows(&self) -> usize {
        self.rows
    }

    /// The rows before `row`, and the rest. A `row` beyond the end leaves the rest empty.
    pub fn split_at_row(self, row: usize) -> (Self, Self) {
        let row = row.min(self.rows);
        // `wrapping_add`: with no tokens there may be no element to point at.
        let rest = Output { first: self.first.wrapping_add(row), rows: self.rows - row, ..self };
        (Output { rows: row, ..self }, rest)
    }

    /// The tokens before `token`, and the rest. A `token` beyond the end leaves the rest empty.
    pub fn split_at_token(self, token: usize) -> (Self, Self) {
        let token = token.min(self.tokens);
        // `wrapping_add`: with no tokens left there may be no element to point at.
        let first = self.first.wrapping_add(token * self.stride);
        let rest = Output { first, tokens: self.tokens - token, ..self };
        (Output { tokens: token, ..self }, rest)
    }

    /// The same part, borrowed for a while.
    pub fn reborrow(&mut self) -> Output<'_, T> {
        Output { _owner: PhantomData, ..*self }
    }

    /// One token's rows; `None` if there is no such token.
    pub fn token(&mut self, token: usize) -> Option<&mut [T]> {
        if token >= self.tokens {
            return None;
        }
        // SAFETY: `token < tokens`, so the part's rows of that token are inside the slice this
        // was made from (`new` checked its length); `&mut self` makes the borrow unique among
        // users of this part, and other parts hold other rows.
        Some(unsafe {
            core::slice::from_raw_parts_mut(self.first.add(token * self.stride), self.rows)
        })
    }

    /// One element; `None` if there is no such token or row.
    #[inline]
    pub(crate) fn element(&mut self, token: usize, row: usize) -> Option<&mut T> {
        if token >= self.tokens || row >= self.rows {
            return None;
        }
        // SAFETY: `token < tokens` and `row < rows`: inside this part, as in `token`.
        Some(unsafe { &mut *self.first.add(token * self.stride + row) })
    }

    /// Calls `f` with each token's rows.
    pub fn for_each_token(&mut self, mut f: impl FnMut(usize, &mut [T])) {
        for t in 0..self.tokens {
            if let Some(rows) = self.token(t) {
                f(t, rows);
            }
        }
    }

    /// Splits into parts of about `rows / parts` rows that start at multiples of `granule`;
    /// gives the row range of part `index` of `parts`.
    pub const fn part_range(
        rows: usize,
        granule: usize,
        parts: usize,
        index: usize,
    ) -> Range<usize> {
        let granule = if granule == 0 { 1 } else { granule };
        let parts = if parts == 0 { 1 } else { parts };
        let granules = rows.div_ceil(granule);
        let start = granules * index / parts * granule;
        let end = granules * (index + 1) / parts * granule;
        let end = if end < rows { end } else { rows };
        (if start < end { start } else { end })..end
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec;

    #[test]
    fn parts_cover_every_row_once() {
        for rows in [0, 1, 31, 32, 100, 672] {
            for granule in [1, 32] {
                for parts in 1..5 {
                    let mut next = 0;
                    for i in 0..parts {
                        let r = Output::<f32>::part_range(rows, granule, parts, i);
                        assert_eq!(r.start, next);
                        assert!(r.start.is_multiple_of(granule) || r.is_empty());
                        next = r.end;
                    }
                    assert_eq!(next, rows);
                }
            }
        }
    }

    #[test]
    fn split_parts_write_disjoint_rows() {
        let mut data = vec![0; 3 * 10];
        let (mut a, mut b) = Output::new(&mut data, 10).unwrap().split_at_row(4);
        a.for_each_token(|t, rows| rows.fill(t as i32 + 1));
        b.for_each_token(|t, rows| rows.fill(-(t as i32) - 1));
        assert!(a.token(3).is_none());
        for t in 0..3 {
            let v = t as i32 + 1;
            assert_eq!(data[t * 10..][..10], [v, v, v, v, -v, -v, -v, -v, -v, -v]);
        }
        assert!(Output::new(&mut data, 7).is_none());
        assert!(Output::new(&mut data, 0).is_none());
        let (_, rest) = Output::new(&mut data, 10).unwrap().split_at_row(99);
        assert_eq!(rest.rows(), 0);
        let (mut a, mut b) = Output::new(&mut data, 10).unwrap().split_at_token(2);
        a.for_each_token(|t, rows| rows.fill(t as i32));
        b.for_each_token(|_, rows| rows.fill(7));
        assert!(a.token(2).is_none() && b.token(1).is_none());
        assert_eq!([data[0], data[10], data[20]], [0, 1, 7]);
        let (_, rest) = Output::new(&mut data, 10).unwrap().split_at_token(4);
        assert_eq!(rest.tokens(), 0);
    }
}
