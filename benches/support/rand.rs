//! Seeded random values.

/// xorshift64.
pub struct Bits(u64);

impl Bits {
    /// A sequence of its own for every seed.
    pub fn new(seed: u64) -> Self {
        Bits(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// The next 32 bits.
    pub fn next(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 32) as u32
    }
}

/// `n` values with mean 0 and deviation 1: sums of twelve uniform ones.
pub fn normal(bits: &mut Bits, n: usize) -> Vec<f32> {
    let mut uniform = || bits.next() as f32 / u32::MAX as f32;
    (0..n).map(|_| (0..12).map(|_| uniform()).sum::<f32>() - 6.0).collect()
}
