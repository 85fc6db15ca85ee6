//! Tables from hashes to numbers, in the caller's memory: open addressing.

/// Hashes bytes (FNV-1a) and numbers.
#[derive(Clone, Copy, Debug)]
pub struct Hash(u32);

impl Hash {
    /// Of nothing.
    pub(super) const fn new() -> Self {
        Hash(0x811c_9dc5)
    }

    /// With `byte` after what came before.
    pub(super) const fn byte(self, byte: u8) -> Self {
        Hash((self.0 ^ byte as u32).wrapping_mul(0x0100_0193))
    }

    /// With `bytes` after what came before.
    pub(super) fn bytes(self, bytes: impl Iterator<Item = u8>) -> Self {
        bytes.fold(self, Self::byte)
    }

    /// Of two numbers.
    pub(super) const fn pair(a: u32, b: u32) -> Self {
        Hash(a.wrapping_mul(0x9e37_79b1) ^ b.wrapping_mul(0x85eb_ca77).rotate_left(16))
    }

    /// Where to begin among `len` places.
    const fn place(self, len: usize) -> usize {
        // Mixed, so that the high bits depend on all.
        let mut h = self.0;
        h = (h ^ h >> 16).wrapping_mul(0x7feb_352d);
        h = (h ^ h >> 15).wrapping_mul(0x846c_a68b);
        h ^= h >> 16;
        ((h as u64 * len as u64) >> 32) as usize
    }
}

/// A place that holds no number.
const EMPTY: u32 = u32::MAX;
/// Numbers that may be beyond their place. Texts chosen to collide cost no more than this; others
/// never come near.
const FAR: usize = 512;

/// Places for `n` numbers: a third stays empty.
pub(super) const fn places(n: usize) -> usize {
    n.saturating_add(n / 2).saturating_add(1)
}

/// Why a number has no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// By this number, which is the same.
    By(u32),
    /// All places near by others.
    Crowded,
}

/// A table that is being filled.
pub(super) struct Filling<'s>(&'s mut [u32]);

impl<'s> Filling<'s> {
    pub(super) fn new(slots: &'s mut [u32]) -> Self {
        slots.fill(EMPTY);
        Filling(slots)
    }

    /// Enters `number`, unless one `is_same`.
    pub(super) fn enter(
        &mut self,
        hash: Hash,
        number: u32,
        is_same: impl Fn(u32) -> bool,
    ) -> Result<(), Taken> {
        let first = hash.place(self.0.len());
        for slot in around(self.0.len(), first) {
            match self.0.get_mut(slot) {
                Some(held) if *held == EMPTY => {
                    *held = number;
                    return Ok(());
                }
                Some(held) if is_same(*held) => return Err(Taken::By(*held)),
                _ => {}
            }
        }
        Err(Taken::Crowded)
    }

    /// Puts `number` where one `is_same`.
    pub(super) fn replace(&mut self, hash: Hash, number: u32, is_same: impl Fn(u32) -> bool) {
        let first = hash.place(self.0.len());
        for slot in around(self.0.len(), first) {
            if let Some(held) = self.0.get_mut(slot).filter(|held| is_same(**held)) {
                *held = number;
                return;
            }
        }
    }

    pub(super) const fn done(self) -> Table<'s> {
        Table(self.0)
    }
}

/// A table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Table<'s>(&'s [u32]);

impl Table<'_> {
    /// The number that `is_same`.
    pub(super) fn find(&self, hash: Hash, is_same: impl Fn(u32) -> bool) -> Option<u32> {
        let first = hash.place(self.0.len());
        around(self.0.len(), first)
            .map_while(|slot| self.0.get(slot).copied().filter(|&held| held != EMPTY))
            .find(|&held| is_same(held))
    }
}

/// The places from `first` on, and from the beginning after the last.
fn around(len: usize, first: usize) -> impl Iterator<Item = usize> {
    (first..len).chain(0..first).take(FAR)
}
