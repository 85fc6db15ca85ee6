//! The alphas' gradients are sums of up to 1e8 terms: accurate, and the same from every grid.

use crate::support::gradients::{Call, truth};
use crate::support::*;
use xielu_kernels_cuda::host::HostTwin;
use xielu_kernels_cuda::{
    Activation, ActivationKind, Backward, Coefficients, DType, Learned, Scalars,
    backward_workspace_len,
};

const COEFFICIENTS: Coefficients = coefficients(0.97, 1.42);
const SLOPES: [f64; 2] = [0.62, 0.35];

fn function() -> Learned {
    Learned { activation: Activation::Xielu(COEFFICIENTS), slopes: SLOPES }
}

/// The same bits whatever the number of blocks, for all who have sums.
#[test]
fn the_same_bits_from_every_grid() {
    let n = 1_000_003;
    let [x, dy] = [1, 2].map(|seed| pre_activations(n, seed));
    let xiprelu = Learned { activation: Activation::Xiprelu(COEFFICIENTS), slopes: SLOPES };
    for machine in machines() {
        for f in [function(), xiprelu] {
            let first = Call { blocks: 1, ..Call::on(&machine) }.run(f, &x, &dy);
            for blocks in [2, 3, 7, 64, 122, 123, 100_000] {
                let other = Call { blocks, ..Call::on(&machine) }.run(f, &x, &dy);
                assert_eq!(other.alphas.map(f32::to_bits), first.alphas.map(f32::to_bits));
                same_bits("dx", &x, &other.dx, &first.dx);
            }
        }
    }
}

/// The host's bits and the device's are equal too.
#[test]
fn the_same_bits_on_every_machine() {
    let [x, dy] = [3, 4].map(|seed| pre_activations(500_009, seed));
    let all = machines();
    let run = |machine| Call::on(machine).run(function(), &x, &dy);
    let first = run(&all[0]);
    for machine in &all {
        let other = run(machine);
        assert_eq!(other.alphas.map(f32::to_bits), first.alphas.map(f32::to_bits));
        same_bits(machine.name(), &x, &other.dx, &first.dx);
    }
}

/// A pair of f64 sums and of the sums of magnitudes, by Neumaier's method.
#[derive(Default)]
struct Exact {
    sum: f64,
    rest: f64,
    magnitude: f64,
}

impl Exact {
    fn add(&mut self, term: f64) {
        let sum = self.sum + term;
        let larger_first = self.sum.abs() >= term.abs();
        let (large, small) = if larger_first { (self.sum, term) } else { (term, self.sum) };
        self.rest += (large - sum) + small;
        self.sum = sum;
        self.magnitude += term.abs();
    }

    fn value(&self) -> f64 {
        self.sum + self.rest
    }
}

/// 1e8 elements, on the host: `XIELU_SUM_ELEMENTS` for another number. `dx` takes the place of
/// `dy`, so two buffers suffice.
#[test]
fn accurate_for_1e8_elements() {
    let n = std::env::var("XIELU_SUM_ELEMENTS").map_or(100_000_000, |n| n.parse().unwrap());
    let f = function();
    let x = pre_activations(n, 11);
    // All of one sign but a few, as in a layer that is being pushed: the sum grows to n.
    let mut dy = pre_activations(n, 12);
    dy.iter_mut().for_each(|v| *v = 0.7 + 0.1 * *v);
    let [mut p, mut q] = [Exact::default(), Exact::default()];
    for (&x, &dy) in x.iter().zip(&dy) {
        let t = truth(&f.activation, x.into());
        p.add(f64::from(dy) * t.alpha_p);
        q.add(f64::from(dy) * t.alpha_n);
    }
    let mut alphas = [0.0f32; 2];
    let mut workspace = vec![0.0f64; backward_workspace_len(n as u64) as usize / 8];
    let address = alphas.as_mut_ptr() as u64;
    let operands = Backward {
        x: x.as_ptr() as u64,
        dy: dy.as_mut_ptr() as u64,
        dx: dy.as_mut_ptr() as u64,
        draw_p: address,
        draw_n: address + 4,
        workspace: workspace.as_mut_ptr() as u64,
        n: n as u64,
        ..Backward::default()
    };
    let raw = HostTwin::new(100).unwrap();
    // SAFETY: the vectors hold what they must and outlive the call, which runs at once.
    unsafe { raw.backward(ActivationKind::Xielu, Scalars::from(&f), DType::F32, &operands) }
        .unwrap();
    for (name, found, exact, sigmoid) in
        [("draw_p", alphas[0], p, SLOPES[0]), ("draw_n", alphas[1], q, SLOPES[1])]
    {
        let expected = exact.value() * sigmoid;
        let error = (f64::from(found) - expected).abs() / (exact.magnitude * sigmoid);
        println!("{name}: {found:e} for {n} elements, error {error:.1e} of the sum of magnitudes");
        // One rounding to f32; the terms' errors average out.
        assert!(error <= 2f64.powi(-24), "{name}: {found}, expected {expected}");
    }
    // A running f32 sum, which this must not be, is off by far more.
    let naive: f32 = x.iter().zip(&dy).filter(|(x, _)| **x > 0.0).map(|(x, _)| 0.7 * x * x).sum();
    let exact: f64 =
        x.iter().filter(|x| **x > 0.0).map(|&x| f64::from(0.7f32) * f64::from(x).powi(2)).sum();
    let naive_error = (f64::from(naive) / exact - 1.0).abs();
    println!("a running f32 sum of such terms: error {naive_error:.1e}");
    assert!(n < 10_000_000 || naive_error > 1e-5);
}

/// Terms that cancel: the error is small beside the magnitudes that went in.
#[test]
fn cancelling_sums() {
    let n = 300_000;
    let x: Vec<f32> = pre_activations(n / 2, 5).into_iter().flat_map(|v| [v, v]).collect();
    let dy: Vec<f32> = (0..n).map(|i| if i % 2 == 0 { 1.0 } else { -1.0 }).collect();
    for machine in machines() {
        // Neighbours cancel in the first addition of a thread's elements or in f64: exactly.
        assert_eq!(Call::on(&machine).run(function(), &x, &dy).alphas, [0.0, 0.0]);
    }
}

/// No element at all: the gradients are 0, or stay as they were.
#[test]
fn no_elements() {
    for machine in machines() {
        let raw = machine.raw(8);
        for (accumulate, expected) in [(false, 0.0), (true, 5.0)] {
            let alphas = machine.copy(&[5.0f32; 2], 0);
            let operands = Backward {
                draw_p: alphas.address(),
                draw_n: alphas.address() + 4,
                accumulate_alphas: accumulate,
                ..Backward::default()
            };
            let scalars = Scalars::from(&function());
            // SAFETY: the buffer holds two values and outlives `read`, which waits.
            unsafe { raw.backward(ActivationKind::Xielu, scalars, DType::BF16, &operands) }
                .unwrap();
            assert_eq!(alphas.read::<f32>(), [expected; 2]);
        }
    }
}
