//! Random places in one arena as the memory of C calls: a call works exactly if its memory is
//! aligned, large enough and separate, and otherwise writes nothing.

use std::ops::Range;

use xielu::capi::*;
use xielu_testing::noise::Noise;

use crate::support::{config_of, model_bytes, open, zeroed};

/// A place for `size` bytes in an arena of `arena`; every fourth is at no multiple of 4.
fn place(noise: &mut Noise, arena: usize, size: usize) -> Range<usize> {
    let words = noise.below((arena - size) / 4);
    let start = 4 * words + if noise.below(4) == 0 { noise.below(4) } else { 0 };
    start..start + size
}

/// Whether floats can be at all of `places`.
fn aligned(places: &[&Range<usize>]) -> bool {
    places.iter().all(|p| p.start.is_multiple_of(4))
}

fn separate(a: &Range<usize>, b: &Range<usize>) -> bool {
    a.end <= b.start || b.end <= a.start
}

/// An arena with some contents, aligned for everything.
#[derive(Clone)]
struct Arena(Vec<u64>);

impl Arena {
    fn new(size: usize) -> Arena {
        Arena((0..size as u64 / 8).map(|i| i.wrapping_mul(0x3f80_1234_3e00_5678)).collect())
    }

    fn at<T>(&mut self, place: &Range<usize>) -> *mut T {
        self.0.as_mut_ptr().wrapping_byte_add(place.start).cast()
    }
}

/// Counts of calls that worked and of calls that were refused: both must be seen often.
#[derive(Default)]
struct Seen([usize; 2]);

impl Seen {
    /// Asserts that a call worked exactly if it should have, and wrote nothing if not.
    fn check(&mut self, status: Status, should: bool, before: &Arena, after: &Arena) {
        assert_eq!(status == Status::Ok, should, "{status:?}");
        assert!(should || before.0 == after.0, "{status:?}, and something was written");
        self.0[usize::from(should)] += 1;
    }

    fn both(&self) {
        assert!(self.0.iter().all(|&n| n >= 50), "{:?}", self.0);
    }
}

#[test]
fn activations() {
    const ARENA: usize = 1024;
    let (mut noise, mut seen) = (Noise::new(1), Seen::default());
    let before = Arena::new(ARENA);
    let f = xielu_activation { kind: XIELU_ACTIVATION_RELU2, ..zeroed() };
    for _ in 0..5000 {
        let n = noise.below(64);
        let [x, y, z] = [(); 3].map(|()| place(&mut noise, ARENA, 4 * n));
        let mut arena = before.clone();
        let (px, py) = (arena.at(&x), arena.at(&y));
        // SAFETY: all places lie in the arena.
        let status = unsafe { xielu_activate_f32(&f, px, py, n) };
        let good = n == 0 || aligned(&[&x, &y]) && (x == y || separate(&x, &y));
        seen.check(status, good, &before, &arena);

        let mut arena = before.clone();
        let (px, py, pz) = (arena.at(&x), arena.at(&y), arena.at(&z));
        // SAFETY: as above.
        let status = unsafe { xielu_swiglu_f32(px, py, pz, n) };
        let good =
            n == 0 || aligned(&[&x, &y, &z]) && separate(&x, &z) && (y == z || separate(&y, &z));
        seen.check(status, good, &before, &arena);
    }
    seen.both();
}

#[test]
fn mlps() {
    const ARENA: usize = 1 << 14;
    let bytes = model_bytes();
    let file = open(&bytes);
    let mut mlp = Box::new(zeroed());
    let needed = xielu_mlp_scratch_size(128, 672, 64, 2);
    // SAFETY: all are live.
    assert_eq!(unsafe { xielu_mlp_load(&*file, 1, &mut *mlp) }, Status::Ok);
    let (mut noise, mut seen) = (Noise::new(2), Seen::default());
    let before = Arena::new(ARENA);
    for _ in 0..1000 {
        let scratch_size = needed - 8 + noise.below(64);
        let [x, y] = [(); 2].map(|()| place(&mut noise, ARENA, 4 * 256));
        let scratch = place(&mut noise, ARENA, scratch_size);
        let mut arena = before.clone();
        let (px, py, ps) = (arena.at(&x), arena.at(&y), arena.at(&scratch));
        // SAFETY: all places lie in the arena.
        let status = unsafe { xielu_mlp_run(&*mlp, 64, px, py, 256, ps, scratch_size) };
        let floats = scratch.start..scratch.start + scratch_size / 4 * 4;
        let good = aligned(&[&x, &y, &scratch])
            && separate(&x, &y)
            && separate(&x, &floats)
            && separate(&y, &floats)
            && scratch_size >= needed;
        seen.check(status, good, &before, &arena);
    }
    seen.both();
}

#[test]
fn decoders() {
    const ARENA: usize = 1 << 16;
    let bytes = model_bytes();
    let file = open(&bytes);
    let config = config_of(&file);
    let options = xielu_decoder_options { context: 8, mlp_tile: 32, ..zeroed() };
    let mut m = zeroed::<xielu_memory>();
    // SAFETY: both are live.
    assert_eq!(unsafe { xielu_decoder_memory(&config, &options, &mut m) }, Status::Ok);
    let mut layers = vec![0usize; m.layers_size / size_of::<usize>()];
    let mut model = Box::new(zeroed());
    let p = layers.as_mut_ptr().cast();
    // SAFETY: all are live.
    assert_eq!(unsafe { xielu_model_load(&*file, p, m.layers_size, &mut *model) }, Status::Ok);
    let (mut noise, mut seen) = (Noise::new(3), Seen::default());
    let before = Arena::new(ARENA);
    for _ in 0..1000 {
        let kv_size = m.kv_cache_size - 2 + noise.below(64);
        let (cache, scratch) =
            (place(&mut noise, ARENA, kv_size), place(&mut noise, ARENA, m.scratch_size));
        let logits = place(&mut noise, ARENA, m.logits_size);
        let mut arena = before.clone();
        let (pc, ps, pl) = (arena.at(&cache), arena.at(&scratch), arena.at(&logits));
        let mut decoder = zeroed::<xielu_decoder>();
        let d = &raw mut decoder;
        // SAFETY: all places lie in the arena.
        let status =
            unsafe { xielu_decoder_init(&*model, &options, pc, kv_size, ps, m.scratch_size, d) };
        let good = aligned(&[&scratch]) && separate(&cache, &scratch) && kv_size >= m.kv_cache_size;
        seen.check(status, good, &before, &arena);

        let initialized = arena.clone();
        // SAFETY: all places lie in the arena.
        let status = unsafe { xielu_decoder_step(d, 1, pl, config.output_vocab_size) };
        let good =
            good && aligned(&[&logits]) && separate(&logits, &cache) && separate(&logits, &scratch);
        seen.check(status, good, &initialized, &arena);
    }
    seen.both();
}
