//! The f32 lines of the accuracy table, by sweeps: samples of every binade, or with
//! `XIELU_EXHAUSTIVE=1` (and `--release`, and patience) all 2^32 inputs.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use xielu::Backend;
use xielu::activation::accuracy::{Accuracy, Bound, TABLE};
use xielu::activation::{ActivationKind, Elementwise, Swiglu, reference};
use xielu::kernels::DType;
use xielu_testing::kernels::every_backend;
use xielu_testing::noise::Noise;
use xielu_testing::ulp;

use crate::cases::{Case, cases};

/// Inputs that are evaluated together.
const CHUNK: usize = 4096;

/// Samples of a binade, all cases of a line together.
const SAMPLES: u32 = 100_000;

/// The largest error seen and where.
#[derive(Clone, Copy, Debug, Default)]
struct Worst {
    ulp: f64,
    x: f32,
}

impl Worst {
    fn of(self, other: Worst) -> Worst {
        if other.ulp > self.ulp { other } else { self }
    }
}

/// Runs every instruction set on `xs`, holds their bits equal, and measures.
fn measure(case: &Case, backends: &[Backend<'_>], xs: &[f32]) -> Worst {
    let outputs: Vec<Vec<f32>> = backends
        .iter()
        .map(|backend| {
            let mut ys = vec![0.0; xs.len()];
            case.f.forward(backend, xs, &mut ys).unwrap();
            ys
        })
        .collect();
    let (first, others) = outputs.split_first().unwrap();
    let mut worst = Worst::default();
    for (i, (&x, &y)) in xs.iter().zip(first).enumerate() {
        for other in others {
            assert_eq!(other[i].to_bits(), y.to_bits(), "{:?} at {x:e}", case.f);
        }
        let (truth, term) = case.truth(x);
        worst = worst.of(Worst { ulp: ulp::error(y.into(), truth, term), x });
    }
    worst
}

fn exhaustive() -> bool {
    std::env::var_os("XIELU_EXHAUSTIVE").is_some_and(|v| v == "1")
}

/// Samples of a binade of f32: its ends, and a low-discrepancy sequence between.
fn binade(exponent: u32, samples: u32) -> impl Iterator<Item = u32> {
    let ends = [0, 1, 2, 0x7f_fffe, 0x7f_ffff];
    let between = (0..samples).map(|i| i.wrapping_mul(0x9e37_79b9) >> 9);
    ends.into_iter().chain(between).map(move |mantissa| exponent << 23 | mantissa)
}

/// Bit patterns of both signs: `samples` a binade where the functions bend, 2^-27 .. 2^8, fewer
/// elsewhere.
fn stratified(samples: u32) -> Vec<u32> {
    let dense = 127 - 27..127 + 8;
    (0..=255)
        .flat_map(|e| binade(e, if dense.contains(&e) { samples } else { 50 }))
        .flat_map(|bits| [bits, bits | 1 << 31])
        .collect()
}

fn sweep_bits(case: &Case, x: [f32; 2], bits: impl Iterator<Item = u32>) -> Worst {
    let backends = every_backend();
    let mut worst = Worst::default();
    let mut xs = Vec::with_capacity(CHUNK);
    let inside = |&v: &f32| v.is_nan() || (x[0]..=x[1]).contains(&v);
    for x in bits.map(f32::from_bits).filter(inside) {
        xs.push(x);
        if xs.len() == CHUNK {
            worst = worst.of(measure(case, &backends, &xs));
            xs.clear();
        }
    }
    worst.of(measure(case, &backends, &xs))
}

/// All inputs, on every core.
fn sweep_all(case: &Case, x: [f32; 2]) -> Worst {
    const PART: u64 = 1 << 22;
    let next = AtomicU64::new(0);
    let work = || {
        let mut worst = Worst::default();
        loop {
            let start = next.fetch_add(PART, Ordering::Relaxed);
            if start >= 1 << 32 {
                return worst;
            }
            let part: Range<u64> = start..start + PART;
            worst = worst.of(sweep_bits(case, x, part.map(|bits| bits as u32)));
        }
    };
    let threads = std::thread::available_parallelism().unwrap().get();
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers.into_iter().map(|w| w.join().unwrap()).fold(Worst::default(), Worst::of)
    })
}

/// A bound must hold, and may not be more than a quarter above what was found.
fn hold(line: &Accuracy, worst: Worst) {
    let Bound::Ulp(bound) = line.bound else { panic!("{line}: not a bound in ulp") };
    let Worst { ulp, x } = worst;
    println!("{line}: measured {ulp:.4} at {x:e}");
    assert!(ulp <= bound, "{line}: {ulp} at {x:e}");
    assert!(bound <= 1.25 * ulp, "{line} is too loose: {ulp}");
}

fn hold_lines(lines: impl Iterator<Item = &'static Accuracy>) {
    let mut seen = 0;
    for line in lines.filter(|line| line.dtype == DType::F32) {
        let mut worst = Worst::default();
        let cases = cases(line);
        // The same work for every line, so the few cases of a line get the more samples.
        let bits = stratified(SAMPLES / cases.len() as u32);
        for case in cases {
            let this = if exhaustive() {
                sweep_all(&case, line.x)
            } else {
                sweep_bits(&case, line.x, bits.iter().copied())
            };
            if exhaustive() {
                println!("  {:?}: {:.4} at {:e}", case.f, this.ulp, this.x);
            }
            worst = worst.of(this);
        }
        hold(line, worst);
        seen += 1;
    }
    assert!(seen > 0);
}

fn is_xielu(line: &Accuracy) -> bool {
    line.function == ActivationKind::Xielu
}

#[test]
fn xielu_within_bounds() {
    hold_lines(TABLE.iter().filter(|line| is_xielu(line)));
}

#[test]
fn the_family_within_bounds() {
    hold_lines(
        TABLE.iter().filter(|line| !is_xielu(line) && line.function != ActivationKind::Swiglu),
    );
}

/// The `up` of a random exponent, 2^-20 .. 2^19, that takes the product just below a power of two:
/// there the relative error of silu(gate) weighs most ulp.
fn hardest_up(gate: f32, random: u32) -> f32 {
    let mantissa = reference::silu(gate.into()).to_bits() & ((1 << 52) - 1);
    let mantissa = f64::from_bits(1023 << 52 | mantissa);
    (f64::exp2(f64::from(random % 40) - 20.0) * 1.9999 / mantissa) as f32
}

/// Every sampled gate with the hardest `up` and with a random one, wherever silu(gate) and the
/// product are normal.
#[test]
fn swiglu_within_bounds() {
    let line = TABLE.iter().find(|line| line.function == ActivationKind::Swiglu).unwrap();
    let mut noise = Noise::new(1);
    let mut gates = Vec::new();
    let mut ups = Vec::new();
    for gate in stratified(SAMPLES).into_iter().map(f32::from_bits) {
        let seed = (noise.bits() >> 32) as u32;
        let random = f32::from_bits((107 + (seed >> 8) % 40) << 23 | seed >> 9);
        for up in [hardest_up(gate, seed >> 8), random] {
            let truth = reference::swiglu(gate.into(), up.into()).abs();
            let normal = f64::from(f32::MIN_POSITIVE)..f64::from(f32::MAX);
            if normal.contains(&truth) && normal.contains(&reference::silu(gate.into()).abs()) {
                gates.push(gate);
                ups.push(up);
            }
        }
    }
    assert!(gates.len() > 300_000);
    let mut worst = Worst::default();
    for backend in every_backend() {
        let mut ys = vec![0.0; gates.len()];
        Swiglu.forward(&backend, [&gates, &ups], &mut ys).unwrap();
        for ((&gate, &up), &y) in gates.iter().zip(&ups).zip(&ys) {
            let truth = reference::swiglu(gate.into(), up.into());
            worst = worst.of(Worst { ulp: ulp::error(y.into(), truth, truth), x: gate });
        }
    }
    hold(line, worst);
}
