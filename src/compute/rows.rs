//! A slice as rows of a width known at run time.
//!
//! `chunks_exact` panics on a width of 0, and its length divides by the width: two panics that an
//! optimiser for size leaves in. These have neither.

/// Rows of `width` elements, a shorter rest left out; none if `width` is 0.
pub(crate) fn rows<T>(mut x: &[T], width: usize) -> impl Iterator<Item = &[T]> + Clone {
    core::iter::from_fn(move || {
        let (row, rest) = x.split_at_checked(width).filter(|_| width > 0)?;
        x = rest;
        Some(row)
    })
}

/// As [`rows`], to write to.
pub(crate) fn rows_mut<T>(mut x: &mut [T], width: usize) -> impl Iterator<Item = &mut [T]> {
    core::iter::from_fn(move || {
        let (row, rest) =
            core::mem::take(&mut x).split_at_mut_checked(width).filter(|_| width > 0)?;
        x = rest;
        Some(row)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_those_of_chunks_exact() {
        let mut x = [1, 2, 3, 4, 5, 6, 7];
        for width in 1..9 {
            assert!(rows(&x, width).eq(x.chunks_exact(width)));
            let mut y = x;
            assert!(rows_mut(&mut x, width).eq(y.chunks_exact_mut(width)));
        }
        assert_eq!(rows(&x, 0).count(), 0);
        assert_eq!(rows_mut(&mut x, 0).count(), 0);
    }
}
