use super::*;
use candle_core::{Device, Var};
use std::string::ToString;

/// Values on both sides of 0, near it and far from it.
fn values(n: usize) -> Vec<f64> {
    let value = |i: usize| ((i * 37 % 101) as f64 - 50.0) * 0.07;
    (0..n).map(|i| if i % 5 == 0 { value(i) * 1e-4 } else { value(i) }).collect()
}

fn var(values: &[f64], dtype: DType) -> Var {
    let t = Tensor::from_slice(values, values.len(), &Device::Cpu).unwrap();
    Var::from_tensor(&t.to_dtype(dtype).unwrap()).unwrap()
}

/// Value, and gradients by all `inputs` of the sum of `f` times fixed weights.
fn gradients(inputs: &[&Var], f: impl Fn() -> Result<Tensor>) -> Vec<Vec<f64>> {
    let y = f().unwrap();
    let weights: Vec<f64> = (0..y.elem_count()).map(|i| ((i % 7) as f64 - 2.0) * 0.3).collect();
    let weights = Tensor::from_vec(weights, y.shape(), &Device::Cpu).unwrap();
    let weights = weights.to_dtype(y.dtype()).unwrap();
    let loss = (&y * weights).unwrap().sum_all().unwrap();
    let grads = loss.backward().unwrap();
    let all = inputs.iter().map(|v| grads.get(v).unwrap().clone());
    std::iter::once(y.clone())
        .chain(all)
        .map(|t| t.to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1().unwrap())
        .collect()
}

fn close(a: &[Vec<f64>], b: &[Vec<f64>], bound: f64) {
    assert_eq!(a.len(), b.len());
    for (a, b) in a.iter().zip(b) {
        assert_eq!(a.len(), b.len());
        let scale = b.iter().fold(1.0f64, |m, v| m.max(v.abs()));
        for (a, b) in a.iter().zip(b) {
            assert!((a - b).abs() <= bound * scale, "{a} {b}");
        }
    }
}

#[test]
fn learned_activations_equal_autograd_of_the_formula() {
    for f in [ActivationKind::Xielu, ActivationKind::Xiprelu] {
        for raw in [[0.2033823, -1.0502256], [3.0, 0.5], [-2.0, 25.0]] {
            let formula = {
                let (x, p, n) = (
                    var(&values(300), DType::F64),
                    var(&raw[..1], DType::F64),
                    var(&raw[1..], DType::F64),
                );
                gradients(&[&x, &p, &n], || composed(f, &x, [&p, &n]))
            };
            for (dtype, bound) in [(DType::F64, 1e-13), (DType::F32, 1e-6)] {
                let (x, p, n) =
                    (var(&values(300), dtype), var(&raw[..1], dtype), var(&raw[1..], dtype));
                let alphas = [p.as_tensor().clone(), n.as_tensor().clone()];
                let ours = gradients(&[&x, &p, &n], || learned(f, &x, &alphas));
                close(&ours, &formula, bound);
            }
        }
    }
}

#[test]
fn other_activations_equal_autograd_of_the_formula() {
    let (gate, up) = (var(&values(300), DType::F64), var(&values(330)[30..], DType::F64));
    let squares = gradients(&[&gate], || gate.relu()?.sqr());
    let products = gradients(&[&gate, &up], || gate.silu()? * up.as_tensor());
    for (dtype, bound) in [(DType::F64, 1e-13), (DType::F32, 1e-6)] {
        let (gate, up) = (var(&values(300), dtype), var(&values(330)[30..], dtype));
        close(&gradients(&[&gate], || relu2(&gate)), &squares, bound);
        close(&gradients(&[&gate, &up], || swiglu(&gate, &up)), &products, bound);
    }
}

#[test]
fn shapes_that_do_not_fit_are_refused() {
    let (x, one) = (var(&values(6), DType::F32), var(&[0.5], DType::F32));
    let one = one.as_tensor().clone();
    let error = xielu(&x, &[x.as_tensor().clone(), one.clone()]).unwrap_err().to_string();
    assert!(error.contains("an alpha is one value, not 6"), "{error}");
    assert!(xiprelu(&x, &[one.clone(), x.as_tensor().clone()]).is_err());
    assert!(swiglu(&x, &one).is_err());
    // Not contiguous: copied, not refused.
    let grid = x.reshape((2, 3)).unwrap().t().unwrap();
    let y = xielu(&grid, &[one.clone(), one]).unwrap();
    assert_eq!(y.dims(), [3, 2]);
}

#[cfg(xielu_train_cuda)]
mod on_cuda {
    use super::*;

    /// The first device, or the test is skipped.
    #[track_caller]
    fn device() -> Option<Device> {
        let skip = |error: &_| xielu_testing_base::require::skip("cuda", &std::format!("{error}"));
        Device::new_cuda(0).inspect_err(skip).ok()
    }

    /// More than a tile of sums, and not a whole number of steps.
    const N: usize = 20_001;

    fn tensor(values: &[f64], dtype: DType, device: &Device) -> Tensor {
        let here = Tensor::from_slice(values, values.len(), &Device::Cpu).unwrap();
        here.to_dtype(dtype).unwrap().to_device(device).unwrap()
    }

    /// The part of a longer tensor that has these values: its memory begins elsewhere.
    fn part(values: &[f64], dtype: DType, device: &Device) -> Tensor {
        let longer = [&[9.0; 10], values, &[9.0; 3]].concat();
        tensor(&longer, dtype, device).narrow(0, 10, values.len()).unwrap()
    }

    fn values_of(t: &Tensor) -> Vec<f64> {
        let here = t.to_device(&Device::Cpu).unwrap().to_dtype(DType::F64).unwrap();
        here.flatten_all().unwrap().to_vec1().unwrap()
    }

    /// Asserts that elements differ by at most `bound` of the larger of 1 and their size.
    fn close(found: &Tensor, expected: &Tensor, bound: f64) {
        let (found, expected) = (values_of(found), values_of(expected));
        assert_eq!(found.len(), expected.len());
        for (a, b) in found.into_iter().zip(expected) {
            assert!((a - b).abs() <= bound * b.abs().max(1.0), "{a}, expected {b}");
        }
    }

    /// Storage types, and how far results may be from those of f32.
    const TYPES: [(DType, f64); 3] =
        [(DType::F32, 1e-6), (DType::BF16, 1.0 / 256.0), (DType::F16, 1.0 / 2048.0)];

    #[test]
    fn learned_activations_are_the_cpus() {
        let Some(device) = device() else { return };
        let weights: Vec<f64> = values(N).iter().map(|v| v * 0.3 + 0.1).collect();
        for (dtype, bound) in TYPES {
            for f in [Learned::Xielu, Learned::Xiprelu] {
                let alphas =
                    |device: &Device| [0.75, -1.5].map(|raw| tensor(&[raw], DType::F32, device));
                let there = part(&values(N), dtype, &device);
                let [x, dy] = [&values(N), &weights]
                    .map(|v| tensor(v, dtype, &Device::Cpu).to_dtype(DType::F32).unwrap());
                let here = alphas(&Device::Cpu);
                let y = learned(f, &x, &here).unwrap();
                let (dx, p, n) = f.bwd(&x, &here[0], &here[1], &y, &dy).unwrap();

                let raw = alphas(&device);
                let y_there = learned(f, &there, &raw).unwrap();
                assert_eq!(y_there.dtype(), dtype);
                if dtype == DType::F32 {
                    assert_eq!(values_of(&y_there), values_of(&y), "{f:?}");
                }
                close(&y_there, &y, bound);
                let dy = part(&weights, dtype, &device);
                let found = f.bwd(&there, &raw[0], &raw[1], &y_there, &dy).unwrap();
                close(&found.0.unwrap(), &dx.unwrap(), bound);
                for (found, expected) in [(found.1, p), (found.2, n)] {
                    let (found, expected) = (found.unwrap(), expected.unwrap());
                    // Summed in f64, stored in f32 beside any type of x.
                    assert_eq!((found.dtype(), found.dims()), (DType::F32, &[1][..]));
                    let (found, expected) = (values_of(&found)[0], values_of(&expected)[0]);
                    assert!((found / expected - 1.0).abs() < 1e-5, "{found}, expected {expected}");
                }
            }
        }
    }

    #[test]
    fn other_activations_are_the_cpus() {
        let Some(device) = device() else { return };
        let [a, b, c] = [0, 7, 19].map(|skip| values(N + skip)[skip..].to_vec());
        for (dtype, bound) in TYPES {
            let [gate, up, dy] =
                [&a, &b, &c].map(|v| tensor(v, dtype, &Device::Cpu).to_dtype(DType::F32).unwrap());
            let there = [&a, &b, &c].map(|v| part(v, dtype, &device));
            close(&relu2(&there[0]).unwrap(), &relu2(&gate).unwrap(), bound);
            let [found, expected] = [(&there[0], &there[2]), (&gate, &dy)]
                .map(|(x, dy)| Relu2.bwd(x, x, dy).unwrap().unwrap());
            close(&found, &expected, bound);
            close(&swiglu(&there[0], &there[1]).unwrap(), &swiglu(&gate, &up).unwrap(), bound);
            let found = Swiglu.bwd(&there[0], &there[1], &there[0], &there[2]).unwrap();
            let expected = Swiglu.bwd(&gate, &up, &gate, &dy).unwrap();
            close(&found.0.unwrap(), &expected.0.unwrap(), bound);
            close(&found.1.unwrap(), &expected.1.unwrap(), bound);
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let Some(device) = device() else { return };
        let (x, one) =
            (tensor(&values(6), DType::F32, &device), tensor(&[0.5], DType::F32, &device));
        let error = xielu(&x, &[x.clone(), one.clone()]).unwrap_err().to_string();
        assert!(error.contains("an alpha is one value, not 6"), "{error}");
        let error = swiglu(&x, &one).unwrap_err().to_string();
        assert!(error.contains("up has 1 elements, expected 6"), "{error}");
        let half = tensor(&values(6), DType::BF16, &device);
        assert!(swiglu(&half, &x).is_err());
        assert!(Relu2.bwd(&x, &x, &half).is_err());
        let here = tensor(&[0.5], DType::F32, &Device::Cpu);
        assert!(xielu(&x, &[here, one]).is_err());
    }
}
