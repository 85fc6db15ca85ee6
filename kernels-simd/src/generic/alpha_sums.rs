//! Sums of the alphas' gradients in a fixed order: the same bits for any number of threads, on
//! every instruction set, and on CUDA devices, whose kernels add up in this order too.
//!
//! A tile is 4 steps of 2048 elements. In a step, 256 groups of 8 elements are added by halves in
//! f32; what they come to is added in f64 from there on: a group's 4 steps one after another, the
//! groups of a tile by halves, and tiles as [`TileSums`] says. An f32 sum has 3 roundings of at
//! most 2^-24 each, whatever the length.

/// Elements whose sums are independent of the rest: where work may be divided.
pub(crate) const TILE: usize = 4 * STEP;
/// Elements that are added to the groups at a time.
pub(crate) const STEP: usize = GROUPS * 8;
/// Sums that run side by side: the threads of a block on a device.
pub(crate) const GROUPS: usize = RADIX * RADIX;
const RADIX: usize = 16;

/// Sums of `dy*f'(alpha)`, for the effective alphas.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct AlphaSums {
    /// Over `x > 0`: of `dy * x^2`.
    pub p: f64,
    /// Over `x <= 0`: of `dy * (e^x - 1 - x)`, or of `dy * x^2` for xIPReLU.
    pub n: f64,
}

impl AlphaSums {
    /// Elements in a tile. Each has sums of its own.
    pub const TILE: usize = TILE;
}

/// Adds each group of a step, by halves, to its sum. A group is 8 neighbours, or 4 and the 4
/// half a step on where elements are 4 bytes wide: what a thread of a device reads at a time.
#[inline(always)]
pub(crate) fn add_groups<T>(step: &[f32; STEP], sums: &mut [f64; GROUPS]) {
    let (quads, _) = step.as_chunks::<4>();
    if size_of::<T>() == 4 {
        let (low, high) = quads.split_at(GROUPS);
        for ((sum, low), high) in sums.iter_mut().zip(low).zip(high) {
            *sum += f64::from(by_halves(low) + by_halves(high));
        }
    } else {
        let (pairs, _) = quads.as_chunks::<2>();
        for (sum, [low, high]) in sums.iter_mut().zip(pairs) {
            *sum += f64::from(by_halves(low) + by_halves(high));
        }
    }
}

#[inline(always)]
fn by_halves([a, b, c, d]: &[f32; 4]) -> f32 {
    (a + b) + (c + d)
}

/// All groups, by halves: first those 16 apart, then what is left.
#[inline(always)]
pub(crate) fn add_up(groups: &mut [f64; GROUPS]) -> f64 {
    let mut count = GROUPS / 2;
    while count >= RADIX {
        let mut k = 0;
        while k < count {
            // Row k/RADIX is the sum of rows twice that and the next.
            let first = k / RADIX * 2 * RADIX + k % RADIX;
            groups[k % GROUPS] = groups[first % GROUPS] + groups[(first + RADIX) % GROUPS];
            k += 1;
        }
        count /= 2;
    }
    while count > 0 {
        let mut k = 0;
        while k < count {
            groups[k % GROUPS] = groups[2 * k % GROUPS] + groups[(2 * k + 1) % GROUPS];
            k += 1;
        }
        count /= 2;
    }
    groups[0]
}

/// The sums of all tiles, which are given in their order: tile `i` is added to group `i % 256`,
/// and the groups by halves.
#[derive(Clone, Debug)]
pub struct TileSums {
    p: [f64; GROUPS],
    n: [f64; GROUPS],
    next: usize,
}

impl Default for TileSums {
    fn default() -> Self {
        TileSums { p: [0.0; GROUPS], n: [0.0; GROUPS], next: 0 }
    }
}

impl TileSums {
    /// Adds the next tile.
    pub fn push(&mut self, tile: AlphaSums) {
        let group = self.next % GROUPS;
        self.p[group] += tile.p;
        self.n[group] += tile.n;
        self.next = group + 1;
    }

    /// The sum over all tiles.
    pub fn total(mut self) -> AlphaSums {
        AlphaSums { p: add_up(&mut self.p), n: add_up(&mut self.n) }
    }
}
