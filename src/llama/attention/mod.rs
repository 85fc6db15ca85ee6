//! Grouped-query attention over the KV cache.
//!
//! Prompts go through [`Kernels::attend`](crate::kernels::Kernels::attend), whose tiles of queries
//! share what they read. A few tokens go one by one: the heads that share keys and values read each
//! block of them once ([`group`]), and a long context is divided among threads ([`chunks`]).

mod chunks;
mod group;
mod heads;

use self::chunks::Chunks;
use self::group::Group;
pub(crate) use self::heads::Heads;
use crate::Error;
use crate::compute::rows::{rows, rows_mut};
use crate::compute::{Backend, Granules, SMALL};
use crate::kernels::{Attention, Output};

/// From this many queries of a KV head on, a prompt's tiles pay.
const TILE_QUERIES: usize = 8;
/// Queries of a tile, about: threads get no fewer.
const PART_QUERIES: usize = 128;

impl Heads<'_, '_> {
    /// `out[t]` = attention of the queries `q[t]` (`[tokens, heads * head_dim]`, after RoPE) over
    /// the positions up to and including `first_position + t`. Chunks of a long context are summed
    /// in `free`: the more there is of it, the more threads can share one token.
    pub(crate) fn attend(
        &self,
        first_position: usize,
        q: &[f32],
        free: &mut [f32],
        mut out: Output<'_>,
    ) -> Result<(), Error> {
        let Backend { kernels, functions, .. } = self.backend;
        let tokens = out.tokens();
        let tiles = !SMALL && tokens > 1 && tokens * self.group >= TILE_QUERIES;
        if tiles && kernels.has_attention() && functions.are_exact() {
            return self.prompt(first_position, q, out);
        }
        for (t, q) in rows(q, self.heads * self.head_dim).enumerate() {
            let out = out.token(t).ok_or(Error::OutOfRange("attention output"))?;
            self.token(first_position + t + 1, q, free, out)?;
        }
        Ok(())
    }

    /// Many tokens, in tiles of queries.
    fn prompt(&self, first_position: usize, q: &[f32], out: Output<'_>) -> Result<(), Error> {
        let granules =
            Granules { rows: self.group_len(), tokens: PART_QUERIES.div_ceil(self.group.max(1)) };
        let operations = 2 * q.len() * (first_position + out.tokens());
        let q_size = out.rows();
        self.backend.parts(out, granules, operations, &|first_row, first_token, part| {
            let before = first_position + first_token;
            let (mut row, mut rest) = (first_row, part);
            while rest.rows() > 0 {
                let (out, after) = rest.split_at_row(self.group_len());
                let kv_head = row.checked_div(self.group_len()).unwrap_or(0);
                let positions = before + out.tokens();
                let queries = q.get(first_token * q_size + row..);
                let attention = Attention {
                    keys: self.cache.keys(self.layer, kv_head, positions)?,
                    values: self.cache.values(self.layer, kv_head, positions)?,
                    queries: queries.ok_or(Error::OutOfRange("queries"))?,
                    query_stride: q_size,
                    visible: before + 1,
                    scale: self.scale(),
                };
                self.backend.kernels.attend(&attention, out)?;
                row += self.group_len();
                rest = after;
            }
            Ok(())
        })
    }

    /// One token that sees so many positions.
    fn token(
        &self,
        positions: usize,
        q: &[f32],
        free: &mut [f32],
        out: &mut [f32],
    ) -> Result<(), Error> {
        let operations = 2 * q.len() * positions;
        if !SMALL {
            let chunks = Chunks::new(positions, free.len() / self.partial_len().max(1));
            if chunks.count > 1 {
                return self.token_by_chunks(&chunks, q, free, out);
            }
        }
        let values = out.len();
        let out = Output::new(out, values).ok_or(Error::OutOfRange("attention output"))?;
        let group = self.group_len();
        let head_dim = self.head_dim;
        self.backend.parts_of_rows(out, group, operations, &|first_row, mut part| {
            let out = part.token(0).ok_or(Error::OutOfRange("attention output"))?;
            let q = q.get(first_row..).ok_or(Error::OutOfRange("queries"))?;
            for (i, (out, q)) in rows_mut(out, group).zip(rows(q, group)).enumerate() {
                let kv_head = first_row.checked_div(group).unwrap_or(0) + i;
                let keys = self.cache.keys(self.layer, kv_head, positions)?;
                let values = self.cache.values(self.layer, kv_head, positions)?;
                Group { backend: self.backend, head_dim }.attend(
                    q,
                    &keys,
                    &values,
                    out,
                    |_, state, out| {
                        let inverse = 1.0 / state.sum;
                        out.iter_mut().for_each(|o| *o *= inverse);
                    },
                )?;
            }
            Ok(())
        })
    }
}
