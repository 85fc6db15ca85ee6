//! What the fuzz targets share: mutators that know the structure of their input, so that most
//! mutants get past the first check.

pub mod directory;
pub mod gguf;
pub mod json;
pub mod split;

/// In one of so many cases libFuzzer changes the bytes itself: what no structure foresees.
const BYTES_ONE_IN: u32 = 8;

/// The mutator of a target: `mutate` of the module named, or libFuzzer's own.
#[macro_export]
macro_rules! mutator {
    ($structure:ident) => {
        libfuzzer_sys::fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
            $crate::mutate_in_place($crate::$structure::mutate, data, size, max_size, seed)
        });
    };
}

/// Replaces the first `size` bytes of `data` by a mutant of at most `max_size`; returns its size.
pub fn mutate_in_place(
    mutate: fn(&[u8], &mut fastrand::Rng) -> Option<Vec<u8>>,
    data: &mut [u8],
    size: usize,
    max_size: usize,
    seed: u32,
) -> usize {
    let mut rng = fastrand::Rng::with_seed(seed.into());
    let structured = rng.u32(..BYTES_ONE_IN) != 0;
    let mutant = structured.then(|| mutate(&data[..size], &mut rng)).flatten();
    match mutant.filter(|mutant| mutant.len() <= max_size.min(data.len())) {
        Some(mutant) => {
            data[..mutant.len()].copy_from_slice(&mutant);
            mutant.len()
        }
        None => libfuzzer_sys::fuzzer_mutate(data, size, max_size),
    }
}
