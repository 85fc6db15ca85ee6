//! Tiles of weights in two buffers: one is computed with while the other is filled.

use core::ops::Range;

use super::source::{Source, Span};
use super::view::View;
use crate::Error;
use crate::compute::Backend;
use crate::error::SourceError;
use crate::kernels::{Input, Matrix, Output, QK};

/// A source and its two buffers.
#[derive(Debug)]
pub(super) struct Tiles<'b, S> {
    source: S,
    /// Bytes of the smaller buffer.
    room: usize,
    /// Those that the source does not have. The tile that was taken last is in the first.
    buffers: [Option<&'b mut [u8]>; 2],
    /// What the source was told to read.
    begun: Option<Span>,
}

impl<'b, S: Source<'b>> Tiles<'b, S> {
    pub(super) fn new(source: S, buffers: [&'b mut [u8]; 2]) -> Self {
        let room = buffers.iter().map(|buffer| buffer.len()).min().unwrap_or(0);
        Tiles { source, room, buffers: buffers.map(Some), begun: None }
    }

    pub(super) const fn source(&self) -> &S {
        &self.source
    }

    /// Fails unless a buffer holds `row` bytes wherever they begin.
    pub(super) fn check_row(&self, row: usize) -> Result<(), Error> {
        let needed = row.saturating_add(self.slack());
        let found = self.room;
        if needed > found {
            return Err(Error::Memory { what: "a tile of the weights", needed, found });
        }
        Ok(())
    }

    /// What units take beyond a tile.
    fn slack(&self) -> usize {
        2 * (self.source.unit().max(1) - 1)
    }

    /// Bytes that are read at a time where nothing else cuts them.
    pub(super) fn chunk(&self) -> usize {
        self.room.saturating_sub(self.slack()).max(1)
    }

    /// Rows of a tile: where there are many, as many as kernels and threads divide without a rest.
    fn rows_at_once(&self, view: &View) -> usize {
        let rows = self.chunk().checked_div(view.row_bytes()).unwrap_or(1);
        let multiple = if rows >= QK { QK } else { 4 };
        if rows < 4 { rows.max(1) } else { rows - rows % multiple }
    }

    /// The first tile of some rows of a matrix.
    pub(super) fn first(&self, view: &View, rows: &Range<usize>) -> Span {
        view.span(rows.start, self.rows_at_once(view).min(rows.len()))
    }

    /// The bytes of `span`. `next` begins to be read: a hint, which costs nothing but the read if
    /// something else follows.
    pub(super) fn take(&mut self, span: Span, next: Option<Span>) -> Result<&[u8], Error> {
        let (unit, size) = (self.source.unit(), self.source.size());
        let (whole, skip) = span.in_units(unit, size)?;
        if self.begun != Some(whole) {
            self.abandon()?;
            self.begin(whole)?;
        }
        self.finish(whole)?;
        if let Some(next) = next.and_then(|next| next.in_units(unit, size).ok()) {
            self.begin(next.0)?;
        }
        let [tile, _] = &self.buffers;
        let tile = tile.as_ref().and_then(|tile| tile.get(skip..)?.get(..span.len));
        Ok(tile.ok_or(SourceError::Buffer)?)
    }

    /// Ends a read whose bytes nobody wants.
    fn abandon(&mut self) -> Result<(), Error> {
        if self.begun.take().is_some() {
            let (buffer, _) = self.source.finish().ok_or(SourceError::Buffer)?;
            self.put(buffer);
        }
        Ok(())
    }

    /// The tile that was taken last stays where it is.
    fn begin(&mut self, span: Span) -> Result<(), Error> {
        let [first, second] = &mut self.buffers;
        let buffer = second.take().or_else(|| first.take()).ok_or(SourceError::Buffer)?;
        if buffer.len() < span.len {
            let (needed, found) = (span.len, buffer.len());
            self.put(buffer);
            return Err(Error::Memory { what: "a tile of the weights", needed, found });
        }
        self.source.begin(span.offset, span.len, buffer);
        self.begun = Some(span);
        Ok(())
    }

    fn finish(&mut self, span: Span) -> Result<(), Error> {
        self.begun = None;
        let (buffer, read) = self.source.finish().ok_or(SourceError::Buffer)?;
        let [first, second] = &mut self.buffers;
        *second = first.replace(buffer).or_else(|| second.take());
        let Span { offset, len: wanted } = span;
        match read {
            Ok(found) if found < wanted => Err(SourceError::Short { offset, wanted, found }.into()),
            Ok(_) => Ok(()),
            Err(fault) => Err(SourceError::Device { offset, code: fault.0 }.into()),
        }
    }

    fn put(&mut self, buffer: &'b mut [u8]) {
        let [first, second] = &mut self.buffers;
        let place = if second.is_none() { second } else { first };
        *place = Some(buffer);
    }

    /// Calls `f` with the rows `rows` of a matrix, tile by tile. `next` is what is read after them.
    pub(super) fn each(
        &mut self,
        view: &View,
        rows: Range<usize>,
        next: Option<Span>,
        mut f: impl FnMut(&Matrix<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut left = rows;
        while !left.is_empty() {
            let count = self.rows_at_once(view).min(left.len());
            let span = view.span(left.start, count);
            left.start += count;
            let following = if left.is_empty() { next } else { Some(self.first(view, &left)) };
            let tile = self.take(span, following)?;
            f(&view.matrix(count, tile)?)?;
        }
        Ok(())
    }

    /// `out[t] (+)= w * x[t]`, as [`Backend::matmul`].
    pub(super) fn matmul(
        &mut self,
        backend: &Backend<'_>,
        view: &View,
        next: Option<Span>,
        x: Input<'_>,
        out: Output<'_>,
        accumulate: bool,
    ) -> Result<(), Error> {
        let mut out = Some(out);
        self.each(view, 0..view.rows, next, |w| {
            backend.matmul(w, x, next_rows(&mut out, w.rows())?, accumulate)
        })
    }
}

/// The first `rows` of an output, which then begins after them.
pub(super) fn next_rows<'o>(
    out: &mut Option<Output<'o>>,
    rows: usize,
) -> Result<Output<'o>, Error> {
    let whole = out.take().ok_or(Error::OutOfRange("streamed rows"))?;
    let (part, after) = whole.split_at_row(rows);
    *out = Some(after);
    Ok(part)
}
