//! One token over a long context: chunks of positions that threads share, combined in one order
//! whatever the number of threads.

use super::group::{BLOCK, Group};
use super::heads::Heads;
use crate::Error;
use crate::compute::Granules;
use crate::compute::rows::{rows, rows_mut};
use crate::kernels::{OnlineSoftmax, Output};

/// A context is divided into at most so many chunks.
const CHUNKS: usize = 16;
/// Positions of the smallest chunk.
const MIN_CHUNK: usize = 512;

/// A context in equal chunks.
pub(super) struct Chunks {
    positions: usize,
    len: usize,
    pub count: usize,
}

impl Chunks {
    /// At most `most` and [`CHUNKS`] of them.
    pub(super) const fn new(positions: usize, most: usize) -> Self {
        let most = if most < CHUNKS { most } else { CHUNKS };
        let len = positions.div_ceil(if most == 0 { 1 } else { most }).next_multiple_of(BLOCK);
        let len = if len < MIN_CHUNK { MIN_CHUNK } else { len };
        Chunks { positions, len, count: positions.div_ceil(len) }
    }

    fn range(&self, chunk: usize) -> core::ops::Range<usize> {
        chunk * self.len..((chunk + 1) * self.len).min(self.positions)
    }
}

impl Heads<'_, '_> {
    /// f32 elements of the sums of one chunk: those of each group of heads, then its softmaxes.
    pub(super) const fn partial_len(&self) -> usize {
        self.heads * (self.head_dim + 2)
    }

    /// [`Heads::token`] over chunks of positions that are combined in their order.
    pub(super) fn token_by_chunks(
        &self,
        chunks: &Chunks,
        q: &[f32],
        free: &mut [f32],
        out: &mut [f32],
    ) -> Result<(), Error> {
        let (values, piece) = (self.group_len(), self.group * (self.head_dim + 2));
        let partial = free.get_mut(..chunks.count * self.partial_len());
        let partial = partial.ok_or(Error::OutOfRange("attention scratch"))?;
        let sums = Output::new(partial, self.partial_len());
        let sums = sums.ok_or(Error::OutOfRange("attention scratch"))?;
        let group = Group { backend: self.backend, head_dim: self.head_dim };
        let granules = Granules { rows: piece, tokens: 1 };
        let operations = 2 * q.len() * chunks.positions;
        self.backend.parts(sums, granules, operations, &|first_row, first_chunk, mut part| {
            let first_head = first_row.checked_div(piece).unwrap_or(0);
            let q = q.get(first_head * values..).ok_or(Error::OutOfRange("queries"))?;
            for chunk in 0..part.tokens() {
                let range = chunks.range(first_chunk + chunk);
                let sums = part.token(chunk).ok_or(Error::OutOfRange("attention scratch"))?;
                for (i, (sums, q)) in rows_mut(sums, piece).zip(rows(q, values)).enumerate() {
                    let keys = self.cache.keys(self.layer, first_head + i, range.end)?;
                    let keys = keys.rows_range(range.clone()).ok_or(Error::OutOfRange("keys"))?;
                    let all = self.cache.values(self.layer, first_head + i, range.end)?;
                    let all = all.rows_range(range.clone()).ok_or(Error::OutOfRange("values"))?;
                    let (sums, states) = sums.split_at_mut_checked(values).unwrap_or_default();
                    group.attend(q, &keys, &all, sums, |head, state, _| {
                        let slots = states.iter_mut().skip(2 * head);
                        slots.zip([state.largest, state.sum]).for_each(|(slot, v)| *slot = v);
                    })?;
                }
            }
            Ok(())
        })?;
        for (i, out) in rows_mut(out, values).enumerate() {
            for (head, out) in rows_mut(out, self.head_dim).enumerate() {
                let of_chunks = rows(partial, self.partial_len()).filter_map(|chunk| {
                    let (sums, states) = chunk.get(i * piece..)?.split_at_checked(values)?;
                    let [largest, sum] = *states.get(2 * head..)?.first_chunk()?;
                    let sums = sums.get(head * self.head_dim..)?;
                    Some((OnlineSoftmax { largest, sum }, sums))
                });
                self.combine(of_chunks, out);
            }
        }
        Ok(())
    }

    /// The sums of one head's chunks, each relative to its own largest score, to one.
    fn combine<'p>(
        &self,
        chunks: impl Iterator<Item = (OnlineSoftmax, &'p [f32])> + Clone,
        out: &mut [f32],
    ) {
        let largest = chunks.clone().fold(f32::NEG_INFINITY, |m, (state, _)| m.max(state.largest));
        let mut total = 0.0;
        out.fill(0.0);
        for (state, sums) in chunks {
            let factor = self.backend.functions.exp(state.largest - largest);
            total += factor * state.sum;
            out.iter_mut().zip(sums).for_each(|(out, sum)| *out += factor * sum);
        }
        let inverse = 1.0 / total;
        out.iter_mut().for_each(|o| *o *= inverse);
    }
}
