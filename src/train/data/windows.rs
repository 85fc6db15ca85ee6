//! Which tokens a step sees.

use std::format;
use std::sync::Arc;
use std::vec::Vec;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

use super::Shards;
use crate::train::{Batch, Batches, TrainError};

/// Windows of a text in an order that the seed decides. In every epoch each window comes once;
/// from epoch to epoch they begin elsewhere.
///
/// A batch is a function of (seed, step, micro step): nothing is remembered.
#[derive(Clone, Debug)]
pub struct Windows {
    shards: Arc<Shards>,
    /// Tokens that are used, from the first.
    tokens: u64,
    length: usize,
    sequences: usize,
    accumulation: u32,
    seed: u64,
}

impl Windows {
    /// Batches of `sequences` windows of `length` tokens, out of the first `tokens`.
    ///
    /// # Errors
    /// If there is not one window, with the token that follows it.
    pub fn new(
        shards: Arc<Shards>,
        tokens: u64,
        (sequences, length): (usize, usize),
        accumulation: u32,
        seed: u64,
    ) -> Result<Self, TrainError> {
        if tokens <= length as u64 {
            return Err(TrainError::Data(format!(
                "the text has {tokens} tokens to train on, less than one sequence of {length} and \
                 the token after it; give more text or a smaller batch.sequence_length"
            )));
        }
        Ok(Windows { shards, tokens, length, sequences, accumulation, seed })
    }

    /// Tokens of the text.
    pub fn tokens(&self) -> u64 {
        self.tokens
    }

    /// Windows of an epoch.
    pub fn per_epoch(&self) -> u64 {
        (self.tokens / self.length as u64 - 1).max(1)
    }

    /// The first token of the `n`-th sequence of the run.
    fn start(&self, n: u64) -> u64 {
        let (epoch, index) = (n / self.per_epoch(), n % self.per_epoch());
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        rng.set_stream(epoch);
        let keys = [rng.next_u64(), rng.next_u64(), rng.next_u64(), rng.next_u64()];
        let length = self.length as u64;
        let shifts = (self.tokens - self.per_epoch() * length).min(length);
        rng.next_u64() % shifts + permuted(index, self.per_epoch(), &keys) * length
    }
}

impl Batches for Windows {
    fn next(&self, step: u64, micro: u32) -> Result<Batch, TrainError> {
        let batch = step * u64::from(self.accumulation) + u64::from(micro);
        let (mut inputs, mut targets) = (Vec::new(), Vec::new());
        let mut window = Vec::new();
        for row in 0..self.sequences as u64 {
            window.clear();
            let start = self.start(batch * self.sequences as u64 + row);
            self.shards.read(start, self.length + 1, &mut window)?;
            inputs.extend_from_slice(window.get(..self.length).unwrap_or_default());
            targets.extend_from_slice(window.get(1..).unwrap_or_default());
        }
        Ok(Batch { inputs, targets, sequences: self.sequences, length: self.length })
    }
}

/// Where a permutation of `0..n` takes `index`: a Feistel network on the next power of 4, walked
/// until it comes back to below `n`.
fn permuted(index: u64, n: u64, keys: &[u64; 4]) -> u64 {
    let half = (u64::BITS - (n - 1).leading_zeros()).div_ceil(2).max(1);
    let mask = (1u64 << half) - 1;
    let mut at = index;
    loop {
        for key in keys {
            let (left, right) = (at >> half, at & mask);
            at = right << half | (left ^ mixed(right ^ key)) & mask;
        }
        if at < n {
            return at;
        }
    }
}

/// The finalizer of SplitMix64.
fn mixed(x: u64) -> u64 {
    let x = (x ^ x >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ x >> 31
}

/// A text that is not trained on, cut into windows one after the other. All predictions inside a
/// window count.
#[derive(Clone, Debug)]
pub struct Validation {
    shards: Arc<Shards>,
    start: u64,
    windows: u64,
    length: usize,
    bos: Option<u32>,
}

impl Validation {
    /// Windows of `length` tokens from token `start` on, at most `limit`. Each begins with `bos`,
    /// if there is one, in place of its first token.
    ///
    /// # Errors
    /// If there is not one.
    pub fn new(
        shards: Arc<Shards>,
        start: u64,
        length: usize,
        limit: Option<u64>,
        bos: Option<u32>,
    ) -> Result<Self, TrainError> {
        let tokens = shards.tokens() - start;
        let windows = (tokens / length as u64).min(limit.unwrap_or(u64::MAX));
        if windows == 0 || length < 2 {
            return Err(TrainError::Data(format!(
                "the validation text has {tokens} tokens, less than one sequence of {length}; \
                 give more text or a smaller batch.sequence_length"
            )));
        }
        Ok(Validation { shards, start, windows, length, bos })
    }

    /// Number of windows.
    pub fn windows(&self) -> u64 {
        self.windows
    }

    /// Tokens of a window.
    pub fn length(&self) -> usize {
        self.length
    }

    /// Batches that together are all windows, each of at most `sequences`.
    pub fn batches(
        &self,
        sequences: usize,
    ) -> impl Iterator<Item = Result<Batch, TrainError>> + '_ {
        let rows = sequences.max(1) as u64;
        (0..self.windows.div_ceil(rows)).map(move |n| {
            let (from, to) = (n * rows, ((n + 1) * rows).min(self.windows));
            let mut batch = Batch {
                inputs: Vec::new(),
                targets: Vec::new(),
                sequences: usize::try_from(to - from).unwrap_or(sequences),
                length: self.length - 1,
            };
            for window in from..to {
                let mut ids = self.window(window)?;
                batch.targets.extend_from_slice(ids.get(1..).unwrap_or_default());
                ids.pop();
                batch.inputs.append(&mut ids);
            }
            Ok(batch)
        })
    }

    fn window(&self, number: u64) -> Result<Vec<u32>, TrainError> {
        let mut ids = Vec::with_capacity(self.length);
        self.shards.read(self.start + number * self.length as u64, self.length, &mut ids)?;
        if let (Some(bos), Some(first)) = (self.bos, ids.first_mut()) {
            *first = bos;
        }
        Ok(ids)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Index, ShardWriter};
    use super::*;
    use std::collections::BTreeSet;
    use std::vec;

    /// The ids `0..tokens`.
    fn counting(tokens: u32) -> Arc<Shards> {
        let dir = tempfile::tempdir().unwrap();
        let index = Index::new(tokens as usize, vec![], None, true);
        let mut writer = ShardWriter::create(dir.path(), index).unwrap();
        writer.write(&(0..tokens).collect::<Vec<_>>()).unwrap();
        writer.finish().unwrap();
        Arc::new(Shards::open(dir.path()).unwrap())
    }

    #[test]
    fn permutations_are_one_to_one_and_differ() {
        for n in (1..70).chain([255, 256, 257, 1000]) {
            let with = |keys| (0..n).map(|i| permuted(i, n, &keys)).collect::<Vec<_>>();
            let first = with([1, 2, 3, 4]);
            assert_eq!(first.iter().copied().collect::<BTreeSet<_>>(), (0..n).collect());
            assert!(n < 64 || first != with([1, 2, 3, 5]), "{n}");
        }
        // Neighbours do not stay neighbours.
        let keys = [11, 22, 33, 44];
        let kept = (1..10_000)
            .filter(|&i| permuted(i, 10_000, &keys).abs_diff(permuted(i - 1, 10_000, &keys)) == 1);
        assert!(kept.count() < 20);
    }

    #[test]
    fn an_epoch_is_every_window_once() {
        let (tokens, length) = (1003, 10);
        let windows = Windows::new(counting(tokens), tokens.into(), (3, length), 2, 7).unwrap();
        assert_eq!(windows.per_epoch(), 99);
        let mut firsts = vec![];
        for n in 0..99u64 * 2 {
            let (step, micro, row) = (n / 6, (n / 3 % 2) as u32, (n % 3) as usize);
            let batch = windows.next(step, micro).unwrap();
            batch.validate(tokens as usize).unwrap();
            let at = row * length;
            let inputs = &batch.inputs[at..at + length];
            assert!(inputs.windows(2).all(|w| w[1] == w[0] + 1));
            assert!(inputs.iter().zip(&batch.targets[at..]).all(|(i, t)| *t == i + 1));
            firsts.push(u64::from(inputs[0]));
        }
        let shift = |epoch: &[u64]| {
            let sorted: BTreeSet<_> = epoch.iter().copied().collect();
            let first = *sorted.first().unwrap();
            assert_eq!(sorted, (0..99).map(|i| first + i * 10).collect());
            first
        };
        let (a, b) = firsts.split_at(99);
        assert_ne!(a, b);
        assert!(shift(a) < 10 && shift(b) < 10);
        let other = Windows { seed: 8, ..windows.clone() };
        assert_ne!(other.next(0, 0).unwrap(), windows.next(0, 0).unwrap());
        assert_eq!(windows.clone().next(5, 1).unwrap(), windows.next(5, 1).unwrap());
    }

    #[test]
    fn the_shortest_text_has_one_window() {
        for tokens in 11..40 {
            let windows = Windows::new(counting(tokens), tokens.into(), (1, 10), 1, 0).unwrap();
            for step in 0..20 {
                windows.next(step, 0).unwrap();
            }
        }
        assert!(Windows::new(counting(10), 10, (1, 10), 1, 0).is_err());
    }

    #[test]
    fn validation_is_every_window_in_order() {
        let validation = Validation::new(counting(107), 50, 8, None, Some(3)).unwrap();
        assert_eq!(validation.windows(), 7);
        let batches: Vec<_> = validation.batches(3).map(Result::unwrap).collect();
        assert_eq!(batches.iter().map(|b| b.sequences).collect::<Vec<_>>(), [3, 3, 1]);
        batches.iter().for_each(|batch| batch.validate(107).unwrap());
        assert_eq!(batches[0].inputs[..9], [3, 51, 52, 53, 54, 55, 56, 3, 59]);
        assert_eq!(batches[2].targets, (99..106).collect::<Vec<_>>());
        let limited = Validation::new(counting(107), 50, 8, Some(2), None).unwrap();
        assert_eq!(limited.batches(3).count(), 1);
        assert!(Validation::new(counting(107), 100, 8, None, None).is_err());
    }
}
