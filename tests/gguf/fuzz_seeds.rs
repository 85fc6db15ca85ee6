//! The fuzz target's seeds, and thousands of corruptions of them, through the fuzz target's walk.

use std::fs;
use std::path::Path;

use xielu::checkpoint::Checkpoint;
use xielu::checkpoint::gguf::Gguf;

use crate::walk::walk;

fn seeds() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/gguf");
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    paths.retain(|path| path.file_name().unwrap().to_str().unwrap().starts_with("seed-"));
    paths.sort();
    let seeds: Vec<_> = paths.iter().map(|path| fs::read(path).unwrap()).collect();
    assert!(seeds.len() >= 4);
    seeds
}

/// xorshift64: deterministic, and good enough to pick bytes.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as usize % n
    }
}

#[test]
fn every_seed_is_a_model() {
    for seed in seeds() {
        walk(&seed).unwrap();
        let gguf = Gguf::parse(&seed).unwrap();
        assert_eq!(gguf.config().unwrap().num_layers, 1);
        gguf.raw_xielu(0).unwrap();
    }
    let prefixed = |seed: &Vec<u8>| Gguf::parse(seed).unwrap().prefixed_alpha_keys();
    assert_eq!(seeds().iter().filter(|seed| prefixed(seed)).count(), 1);
}

#[test]
fn no_corruption_panics() {
    let interesting = [0, 1, 2, 3, 4, 8, 9, 12, 13, 31, 32, 63, 64, 0x7f, 0x80, 0xfe, 0xff];
    let (mut random, mut refused, mut accepted) = (Random(0x9e37_79b9_7f4a_7c15), 0, 0);
    for seed in seeds() {
        for _ in 0..2000 {
            let mut bytes = seed.clone();
            for _ in 0..=random.below(4) {
                let at = random.below(bytes.len().min(3000));
                bytes[at] = match random.below(3) {
                    0 => interesting[random.below(interesting.len())],
                    1 => bytes[at] ^ 1 << random.below(8),
                    _ => random.below(256) as u8,
                };
            }
            bytes.truncate(bytes.len() - random.below(2) * random.below(bytes.len()));
            if walk(&bytes).is_err() { refused += 1 } else { accepted += 1 }
        }
    }
    assert!(refused > 1000 && accepted > 100, "{refused} refused, {accepted} accepted");
}
