//! The fuzz target's seeds, and thousands of corruptions of them, through the fuzz target's walk.

use std::fs;
use std::path::Path;

use xielu::checkpoint::Checkpoint;
use xielu::checkpoint::gguf::Gguf;
use xielu_testing::noise::Noise;

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
    let (mut noise, mut refused, mut accepted) = (Noise::from_state(0x9e37_79b9_7f4a_7c15), 0, 0);
    for seed in seeds() {
        for _ in 0..2000 {
            let mut bytes = seed.clone();
            for _ in 0..=noise.below(4) {
                let at = noise.below(bytes.len().min(3000));
                bytes[at] = match noise.below(3) {
                    0 => interesting[noise.below(interesting.len())],
                    1 => bytes[at] ^ 1 << noise.below(8),
                    _ => noise.below(256) as u8,
                };
            }
            bytes.truncate(bytes.len() - noise.below(2) * noise.below(bytes.len()));
            if walk(&bytes).is_err() { refused += 1 } else { accepted += 1 }
        }
    }
    assert!(refused > 1000 && accepted > 100, "{refused} refused, {accepted} accepted");
}
