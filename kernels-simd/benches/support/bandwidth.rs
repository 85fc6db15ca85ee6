//! How fast this machine reads main memory.

use std::hint::black_box;
use std::sync::Barrier;
use std::time::Instant;

/// More than a cache holds.
const BYTES_PER_THREAD: usize = 768 << 20;

/// GB/s of all threads together; the median of five.
#[derive(Clone, Copy, Debug)]
pub struct ReadBandwidth {
    /// Each thread reads from one place, front to back.
    pub one_stream: f64,
    /// Each thread reads from four places in turn.
    pub four_streams: f64,
}

impl ReadBandwidth {
    /// The higher of the two.
    pub fn best(&self) -> f64 {
        self.one_stream.max(self.four_streams)
    }
}

/// Sums memory of their own on `threads` threads.
pub fn read(threads: usize) -> ReadBandwidth {
    let memory: Vec<Vec<u64>> =
        (0..threads).map(|t| vec![1 + t as u64; BYTES_PER_THREAD / 8]).collect();
    let [one, four] = sums();
    ReadBandwidth { one_stream: rate(&memory, one), four_streams: rate(&memory, four) }
}

type Sum = fn(&[u64]) -> u64;

fn rate(memory: &[Vec<u64>], sum: Sum) -> f64 {
    let barrier = Barrier::new(memory.len());
    let timed = |words: &[u64]| {
        barrier.wait();
        let start = Instant::now();
        black_box(sum(black_box(words)));
        barrier.wait();
        start.elapsed().as_secs_f64()
    };
    let five = |words| std::iter::repeat_with(|| timed(words)).take(5).collect::<Vec<_>>();
    let mut seconds: Vec<f64> = std::thread::scope(|scope| {
        let threads: Vec<_> = memory.iter().map(|words| scope.spawn(|| five(words))).collect();
        threads.into_iter().flat_map(|t| t.join().expect("the sum does not panic")).collect()
    });
    seconds.sort_by(f64::total_cmp);
    (BYTES_PER_THREAD * memory.len()) as f64 / seconds[seconds.len() / 2] / 1e9
}

/// The sums over one and four streams, on the widest registers: narrow loads keep fewer cache
/// lines in flight.
fn sums() -> [Sum; 2] {
    #[cfg(target_arch = "x86_64")]
    {
        use xielu_kernels_simd::Isa;

        if Isa::Avx512.is_available() {
            return [avx512::sum::<1>, avx512::sum::<4>];
        }
        if Isa::Avx2.is_available() {
            return [avx2::sum::<1>, avx2::sum::<4>];
        }
    }
    [sum::<1>, sum::<4>]
}

/// The sum compiled for some features.
#[cfg(target_arch = "x86_64")]
macro_rules! compiled_for {
    ($name:ident, $features:literal) => {
        mod $name {
            pub fn sum<const STREAMS: usize>(words: &[u64]) -> u64 {
                #[target_feature(enable = $features)]
                fn run<const STREAMS: usize>(words: &[u64]) -> u64 {
                    super::sum::<STREAMS>(words)
                }
                // SAFETY: `sums` hands this out only where `Isa::is_available` said so.
                unsafe { run::<STREAMS>(words) }
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
compiled_for!(avx2, "avx2");
#[cfg(target_arch = "x86_64")]
compiled_for!(avx512, "avx512f");

/// Eight cache lines of each stream in turn.
#[inline(always)]
fn sum<const STREAMS: usize>(words: &[u64]) -> u64 {
    let pieces = words.as_chunks::<64>().0;
    let length = pieces.len() / STREAMS;
    let streams: [_; STREAMS] = std::array::from_fn(|i| &pieces[i * length..][..length]);
    let mut sums = [0u64; 64];
    for i in 0..length {
        for stream in streams {
            for (sum, word) in sums.iter_mut().zip(&stream[i]) {
                *sum = sum.wrapping_add(*word);
            }
        }
    }
    sums.iter().fold(0, |a, &b| a.wrapping_add(b))
}
