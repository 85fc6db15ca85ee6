//! How fast this machine multiplies and adds when nothing waits for memory.

use std::time::{Duration, Instant};

use xielu_kernels_simd::Isa;

/// Operations per second (a multiply-add is two), all threads together.
#[derive(Clone, Copy, Debug)]
pub struct Peaks {
    /// f32 multiply-adds.
    pub fma_f32: f64,
    /// 8-bit products summed in 32 bits.
    pub dot_i8: f64,
}

/// Some rounds of work on registers, and the operations in one.
type Loop = (fn(u32), usize);

/// The peaks of `isa` on `threads` threads; `None` where they are not measured.
pub fn measure(isa: Isa, threads: usize) -> Option<Peaks> {
    let (fma, dot) = loops(isa)?;
    Some(Peaks { fma_f32: rate(fma, threads), dot_i8: rate(dot, threads) })
}

fn rate((run, operations): Loop, threads: usize) -> f64 {
    const ROUNDS: u32 = 1 << 16;
    let one = || {
        run(ROUNDS);
        let start = Instant::now();
        let mut rounds = 0.0;
        while start.elapsed() < Duration::from_millis(200) {
            run(ROUNDS);
            rounds += f64::from(ROUNDS);
        }
        rounds * operations as f64 / start.elapsed().as_secs_f64()
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(one)).collect();
        threads.into_iter().map(|t| t.join().expect("the loop does not panic")).sum()
    })
}

#[cfg(not(target_arch = "x86_64"))]
fn loops(_: Isa) -> Option<(Loop, Loop)> {
    None
}

#[cfg(target_arch = "x86_64")]
use x86::loops;

#[cfg(target_arch = "x86_64")]
mod x86 {
    use core::arch::x86_64::*;
    use std::hint::black_box;

    use super::{Isa, Loop};

    /// Independent sums: more than latency times throughput, fewer than the registers.
    const SUMS: usize = 12;

    /// Defines a loop: `$step` on each of the sums, every round.
    macro_rules! peak {
        ($name:ident, $features:literal, $start:expr, $step:expr) => {
            fn $name(rounds: u32) {
                #[target_feature(enable = $features)]
                fn run(rounds: u32) {
                    let start = black_box($start);
                    let mut sums = [start; SUMS];
                    for _ in 0..rounds {
                        for sum in &mut sums {
                            *sum = $step(*sum, start);
                        }
                    }
                    black_box(sums);
                }
                // SAFETY: `loops` hands this out only where `Isa::is_available` said that the
                // machine has these features.
                unsafe { run(rounds) }
            }
        };
    }

    peak!(fma_avx2, "avx2,fma", _mm256_set1_ps(0.5), |s, a| _mm256_fmadd_ps(s, a, a));
    peak!(fma_avx512, "avx512f", _mm512_set1_ps(0.5), |s, a| _mm512_fmadd_ps(s, a, a));
    peak!(dot_avx2, "avx2", _mm256_set1_epi8(1), |s, a| {
        let products = _mm256_madd_epi16(_mm256_maddubs_epi16(a, s), _mm256_set1_epi16(1));
        _mm256_add_epi32(products, a)
    });
    peak!(dot_avx_vnni, "avx2,avxvnni", _mm256_set1_epi8(1), |s, a| _mm256_dpbusd_avx_epi32(
        s, a, a
    ));
    peak!(dot_avx512, "avx512f,avx512bw", _mm512_set1_epi8(1), |s, a| {
        let products = _mm512_madd_epi16(_mm512_maddubs_epi16(a, s), _mm512_set1_epi16(1));
        _mm512_add_epi32(products, a)
    });
    peak!(dot_avx512_vnni, "avx512f,avx512vnni", _mm512_set1_epi8(1), |s, a| {
        _mm512_dpbusd_epi32(s, a, a)
    });

    pub fn loops(isa: Isa) -> Option<(Loop, Loop)> {
        if !isa.is_available() {
            return None;
        }
        // A register of 32 bytes: 8 floats or 32 integers, two operations each.
        let (fma, dot): (Loop, Loop) = match isa {
            Isa::Avx2 => ((fma_avx2, 16), (dot_avx2, 64)),
            Isa::AvxVnni => ((fma_avx2, 16), (dot_avx_vnni, 64)),
            Isa::Avx512 => ((fma_avx512, 32), (dot_avx512, 128)),
            Isa::Avx512Vnni => ((fma_avx512, 32), (dot_avx512_vnni, 128)),
            _ => return None,
        };
        Some(((fma.0, fma.1 * SUMS), (dot.0, dot.1 * SUMS)))
    }
}
