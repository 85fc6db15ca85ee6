//! Numbers that look random and are the same in every run.

/// xorshift64 (Marsaglia, 2003).
#[derive(Clone, Debug)]
pub struct Noise(u64);

impl Noise {
    /// A sequence of its own for every seed, even for small ones.
    pub fn new(seed: u64) -> Self {
        Noise(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// The sequence that goes on from `state`.
    ///
    /// # Panics
    /// If `state` is 0, which zeros follow for ever.
    pub fn from_state(state: u64) -> Self {
        assert_ne!(state, 0);
        Noise(state)
    }

    /// 64 bits; the upper ones are the best.
    pub fn bits(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// From 0 to `n`, without `n`.
    pub fn below(&mut self, n: usize) -> usize {
        (self.bits() >> 16) as usize % n
    }

    /// Between 0 and 1: a multiple of 2^-24.
    pub fn unit(&mut self) -> f32 {
        (self.bits() >> 40) as f32 / (1u64 << 24) as f32
    }

    /// Between -1 and 1.
    pub fn signed(&mut self) -> f32 {
        (self.bits() >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    }

    /// `n` values between `-scale` and `scale`.
    pub fn vec(&mut self, n: usize, scale: f32) -> Vec<f32> {
        (0..n).map(|_| self.signed() * scale).collect()
    }

    /// `n` values of mean 0 and standard deviation 1: sums of twelve uniform ones.
    pub fn normal(&mut self, n: usize) -> Vec<f32> {
        let mut uniform = || (self.bits() >> 32) as f32 / u32::MAX as f32;
        (0..n).map(|_| (0..12).map(|_| uniform()).sum::<f32>() - 6.0).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_give_sequences_of_their_own_within_their_ranges() {
        let mut different: Vec<u64> = (0..1000).map(|seed| Noise::new(seed).bits()).collect();
        different.sort_unstable();
        different.dedup();
        assert_eq!(different.len(), 1000);
        let mut noise = Noise::new(1);
        assert!((0..1000).all(|_| noise.below(7) < 7));
        let units: Vec<f32> = (0..1000).map(|_| noise.unit()).collect();
        assert!(units.iter().all(|v| (0.0..1.0).contains(v)));
        let mean = units.iter().sum::<f32>() / 1000.0;
        assert!((mean - 0.5).abs() < 0.05, "{mean}");
        let normal = noise.normal(10_000);
        let variance = normal.iter().map(|v| v * v).sum::<f32>() / 10_000.0;
        assert!((variance - 1.0).abs() < 0.05, "{variance}");
        assert!(noise.vec(1000, 3.0).iter().all(|v| v.abs() <= 3.0));
    }
}
