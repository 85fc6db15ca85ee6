//! One word, from bytes to tokens: the merge of the lowest rank first, of equal ones the leftmost.
//!
//! Neighbours are linked, and the merges that could be next are in a heap, so a word of n bytes
//! takes O(n log n).

use super::merges::Merges;
use crate::Error;

/// Numbers of memory that one byte of a word takes.
pub(super) const PER_BYTE: usize = SYMBOL + HEAP_PER_BYTE * ENTRY;
const SYMBOL: usize = 3;
const ENTRY: usize = 2;
/// Every byte but the last begins with one possible merge, and each merge done removes one and
/// makes at most two.
const HEAP_PER_BYTE: usize = 2;

/// No neighbour, or no token any more.
const NONE: u32 = u32::MAX;

/// A token of the word so far, and its neighbours.
#[derive(Clone, Copy, Debug)]
struct Symbol {
    id: u32,
    previous: u32,
    next: u32,
}

/// Symbols by place.
struct Symbols<'a>(&'a mut [[u32; SYMBOL]]);

impl Symbols<'_> {
    fn get(&self, place: u32) -> Option<Symbol> {
        let place = usize::try_from(place).ok().filter(|_| place != NONE)?;
        let [id, previous, next] = *self.0.get(place)?;
        Some(Symbol { id, previous, next })
    }

    fn set(&mut self, place: u32, symbol: Symbol) {
        if let Some(held) = usize::try_from(place).ok().and_then(|place| self.0.get_mut(place)) {
            *held = [symbol.id, symbol.previous, symbol.next];
        }
    }
}

/// Merges that could be next, the first on top: rank and place of the left token.
struct Heap<'a> {
    entries: &'a mut [[u32; ENTRY]],
    len: usize,
}

impl Heap<'_> {
    fn at(&self, place: usize) -> Option<[u32; ENTRY]> {
        self.entries.get(..self.len)?.get(place).copied()
    }

    fn put(&mut self, place: usize, entry: [u32; ENTRY]) {
        if let Some(held) = self.entries.get_mut(place) {
            *held = entry;
        }
    }

    fn push(&mut self, entry: [u32; ENTRY]) -> Result<(), Error> {
        let mut place = self.len;
        if place >= self.entries.len() {
            return Err(Error::OutOfRange("merges of a word"));
        }
        self.len += 1;
        while let Some(above) = place.checked_sub(1).map(|p| p / 2) {
            match self.at(above) {
                Some(held) if held > entry => self.put(place, held),
                _ => break,
            }
            place = above;
        }
        self.put(place, entry);
        Ok(())
    }

    fn pop(&mut self) -> Option<[u32; ENTRY]> {
        let top = self.at(0)?;
        let last = self.at(self.len - 1)?;
        self.len -= 1;
        let mut place = 0;
        loop {
            let (left, right) = (2 * place + 1, 2 * place + 2);
            let below = match (self.at(left), self.at(right)) {
                (Some(l), Some(r)) if r < l => Some((right, r)),
                (Some(l), _) => Some((left, l)),
                _ => None,
            };
            match below {
                Some((from, held)) if held < last => {
                    self.put(place, held);
                    place = from;
                }
                _ => break,
            }
        }
        self.put(place, last);
        Some(top)
    }
}

/// Calls `each` with the tokens of a word, given those of its bytes, in memory of [`PER_BYTE`]
/// numbers a byte.
pub(super) fn merge(
    bytes: impl ExactSizeIterator<Item = Result<u32, Error>>,
    merges: &Merges<'_>,
    work: &mut [u32],
    mut each: impl FnMut(u32),
) -> Result<(), Error> {
    let (n, found) = (bytes.len(), work.len());
    let needed = n.saturating_mul(PER_BYTE);
    let short = Error::Memory { what: "the tokenizer's work", needed, found };
    let work = work.get_mut(..needed).ok_or(short)?;
    let (symbols, heap) = work.split_at_mut_checked(n * SYMBOL).ok_or(short)?;
    let mut symbols = Symbols(symbols.as_chunks_mut().0);
    let mut heap = Heap { entries: heap.as_chunks_mut().0, len: 0 };

    let last = u32::try_from(n).map_err(|_| short)?.saturating_sub(1);
    for (place, id) in (0u32..).zip(bytes) {
        let next = if place < last { place + 1 } else { NONE };
        symbols.set(place, Symbol { id: id?, previous: place.wrapping_sub(1), next });
    }
    for place in 0..last {
        offer(&symbols, merges, &mut heap, place)?;
    }
    while let Some([rank, place]) = heap.pop() {
        let (Some(left), Some(product)) = (symbols.get(place), merges.product(rank)) else {
            continue;
        };
        let Some(right) = symbols.get(left.next) else { continue };
        // There may be other tokens by now.
        let now = merges.rank(left.id, right.id).and_then(|rank| merges.product(rank));
        if left.id == NONE || now != Some(product) {
            continue;
        }
        symbols.set(left.next, Symbol { id: NONE, ..right });
        symbols.set(place, Symbol { id: product, next: right.next, ..left });
        if let Some(after) = symbols.get(right.next) {
            symbols.set(right.next, Symbol { previous: place, ..after });
            offer(&symbols, merges, &mut heap, place)?;
        }
        offer(&symbols, merges, &mut heap, left.previous)?;
    }
    let mut place = 0;
    while let Some(symbol) = symbols.get(place) {
        each(symbol.id);
        place = symbol.next;
    }
    Ok(())
}

/// Puts the merge of the token at `place` with the next into the heap, if they merge.
fn offer(
    symbols: &Symbols<'_>,
    merges: &Merges<'_>,
    heap: &mut Heap<'_>,
    place: u32,
) -> Result<(), Error> {
    let Some(left) = symbols.get(place) else { return Ok(()) };
    let Some(right) = symbols.get(left.next) else { return Ok(()) };
    match merges.rank(left.id, right.id) {
        Some(rank) => heap.push([rank, place]),
        None => Ok(()),
    }
}
