//! Every kernel beside a device-to-device copy that moves the same bytes, a small launch beside an
//! empty kernel, and the MLP of a layer with quantized weights.
//!
//! `cargo bench -p xielu-kernels-cuda`; with `-- --check` it fails where a goal is missed.
//! `XIELU_BENCH_ELEMENTS` sets another number of elements than 4096 x 21504.

mod mlp;
mod subjects;

use std::error::Error;
use std::process::ExitCode;
use std::sync::Arc;

use subjects::{Bench, Subject, subjects};
use xielu_kernels_cuda::cudarc::driver::CudaStream;
use xielu_kernels_cuda::cudarc::driver::sys::CUevent_flags;
use xielu_kernels_cuda::{Cuda, DType, Error as CudaError};

/// A prompt of 4096 tokens in a feed-forward layer of 21504.
const LARGE: u64 = 4096 * 21504;
/// One token in the same layer.
const SMALL: u64 = 21504;
/// Measurements of each subject; the median counts.
const ROUNDS: usize = 31;
/// Launches of a measurement of [`SMALL`].
const LAUNCHES: usize = 200;
/// An empty kernel's time, times this, is what a small launch may take.
const SMALL_GOAL: f64 = 1.2;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    let cuda = match Cuda::new(0) {
        Ok(cuda) => cuda,
        Err(CudaError::NoDriver) => {
            println!("not run: {}", CudaError::NoDriver);
            return ExitCode::SUCCESS;
        }
        Err(e) => {
            eprintln!("error: {e}");
            return ExitCode::FAILURE;
        }
    };
    let check = std::env::args().any(|arg| arg == "--check");
    match run(&cuda) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(missed) => {
            println!("\n{missed} goals missed");
            if check { ExitCode::FAILURE } else { ExitCode::SUCCESS }
        }
        Err(e) => {
            eprintln!("error: {e}");
            ExitCode::FAILURE
        }
    }
}

/// The number of goals missed.
fn run(cuda: &Cuda) -> Result<usize> {
    let n = match std::env::var("XIELU_BENCH_ELEMENTS") {
        Ok(n) => n.parse().map_err(|_| "XIELU_BENCH_ELEMENTS is not a number")?,
        Err(_) => LARGE,
    };
    // Whole blocks of Q8_0.
    let n = n / 32 * 32;
    println!("{}, medians of {ROUNDS}", cuda.context().name()?);
    let mut missed = 0;
    for dtype in DType::ALL {
        let bench = Bench::new(cuda, dtype, n)?;
        bench.versions_agree()?;
        println!(
            "\n{n} elements of {dtype:?}\n{:24} {:>10} {:>8} {:>8} goal",
            "", "us", "GB/s", "of copy"
        );
        for subject in subjects(dtype) {
            missed += usize::from(!beside_a_copy(&bench, &subject)?);
        }
        println!("\n{SMALL} elements of {dtype:?}\n{:24} {:>10} {:>8} goal", "", "us", "of empty");
        for subject in subjects(dtype) {
            missed += usize::from(!beside_an_empty_kernel(&bench, &subject)?);
        }
    }
    mlp::mlps(cuda, n < LARGE)?;
    Ok(missed)
}

/// Prints a line; whether the goal, if there is one, was reached.
fn beside_a_copy(bench: &Bench<'_>, subject: &Subject) -> Result<bool> {
    let n = bench.n();
    let bytes = subject.bytes(n);
    let [ours, copy] =
        medians(bench.stream(), 1, [&|| bench.launch(subject, n), &|| bench.copy(bytes)])?;
    let ratio = copy / ours;
    let rate = bytes as f64 / ours / 1e9;
    println!(
        "{:24} {:10.1} {rate:8.0} {ratio:8.3} {}",
        subject.name(),
        1e6 * ours,
        goal(subject.goal)
    );
    Ok(subject.goal.is_none_or(|goal| ratio >= goal))
}

fn beside_an_empty_kernel(bench: &Bench<'_>, subject: &Subject) -> Result<bool> {
    let n = SMALL.min(bench.n());
    let [ours, empty] =
        medians(bench.stream(), LAUNCHES, [&|| bench.launch(subject, n), &|| bench.empty()])?;
    let ratio = ours / empty;
    let aim = subject.is_one_launch().then_some(SMALL_GOAL);
    println!("{:24} {:10.2} {ratio:8.3} {}", subject.name(), 1e6 * ours, goal(aim));
    Ok(aim.is_none_or(|aim| ratio <= aim))
}

fn goal(goal: Option<f64>) -> String {
    goal.map_or_else(String::new, |goal| format!("{goal:.2}"))
}

/// Median seconds of each, measured in turns so that a change of clocks meets both.
fn medians(
    stream: &Arc<CudaStream>,
    launches: usize,
    works: [&dyn Fn() -> Result<()>; 2],
) -> Result<[f64; 2]> {
    let mut times = [const { Vec::new() }; 2];
    for round in 0..=ROUNDS {
        for (work, times) in works.iter().zip(&mut times) {
            let start = stream.record_event(Some(CUevent_flags::CU_EVENT_DEFAULT))?;
            for _ in 0..launches {
                work()?;
            }
            let end = stream.record_event(Some(CUevent_flags::CU_EVENT_DEFAULT))?;
            let seconds = f64::from(start.elapsed_ms(&end)?) / 1e3 / launches as f64;
            // The first compiles and warms up.
            if round > 0 {
                times.push(seconds);
            }
        }
    }
    Ok(times.map(|mut times| {
        times.sort_by(f64::total_cmp);
        times[ROUNDS / 2]
    }))
}
