//! What a call refuses, and what it leaves out when it is not wanted.

use crate::support::gradients::Call;
use crate::support::*;
use half::bf16;
use xielu::RawXielu;
use xielu::activation::{Form, Xiprelu, reference};
use xielu_kernels_cuda::host::HostTwin;
use xielu_kernels_cuda::{
    ActivationKind, Backward, DType, Error, Kernel, RawScalars, Scalars, SwigluBackward,
    backward_workspace_len,
};

const VALUE: Scalars = Scalars::effective(coefficients(0.8, 0.8));

fn forward_error(dtype: DType, addresses: [u64; 2], n: u64) -> Error {
    let raw = HostTwin::new(1).unwrap();
    // SAFETY: the call is refused: nothing is read or written.
    unsafe { raw.forward(ActivationKind::Xielu, VALUE, dtype, addresses, n) }.unwrap_err()
}

#[test]
fn addresses_that_cannot_be_right() {
    let at = 1 << 20;
    assert_eq!(forward_error(DType::F32, [0, at], 1), Error::Null("x"));
    assert_eq!(forward_error(DType::F32, [at, 0], 1), Error::Null("y"));
    assert_eq!(forward_error(DType::F32, [at + 2, at], 1), Error::Alignment("x"));
    assert_eq!(forward_error(DType::BF16, [at, at + 1], 1), Error::Alignment("y"));
    assert_eq!(forward_error(DType::F32, [at, at + 4], 2), Error::Overlap("y"));
    assert_eq!(forward_error(DType::F32, [at + 4, at], 2), Error::Overlap("y"));
    assert_eq!(forward_error(DType::F32, [at, at], 1 << 62), Error::TooLarge(1 << 62));
    let top = u64::MAX - 7;
    assert_eq!(forward_error(DType::F32, [top, at], 3), Error::TooLarge(3));
    let raw = HostTwin::new(1).unwrap();
    // SAFETY: refused, all of them, but the one of no elements.
    unsafe {
        let swiglu = |addresses, n| raw.swiglu(DType::F32, addresses, n);
        assert_eq!(swiglu([at, 0, at], 1), Err(Error::Null("up")));
        assert_eq!(swiglu([at, at + 64, at + 8], 4), Err(Error::Overlap("y")));
        assert_eq!(swiglu([0, 0, 0], 0), Ok(()));
        let q8_0 =
            |addresses, n| raw.forward_q8_0(ActivationKind::Relu2, VALUE, DType::F32, addresses, n);
        assert_eq!(q8_0([at, at], 32), Err(Error::Overlap("blocks")));
        assert_eq!(q8_0([at, at + 127], 32), Err(Error::Overlap("blocks")));
        assert_eq!(q8_0([at, 0], 32), Err(Error::Null("blocks")));
        let there = |address| {
            let scalars = Scalars::Device(address);
            raw.forward(ActivationKind::Xielu, scalars, DType::F32, [at, at], 1)
        };
        assert_eq!(there(0), Err(Error::Null("coefficients")));
        assert_eq!(there(at + 4), Err(Error::Alignment("coefficients")));
    }
}

#[test]
fn gradients_that_cannot_be() {
    let raw = HostTwin::new(1).unwrap();
    let at = 1 << 20;
    let good = Backward { x: at, dy: at + 4096, dx: at, n: 1024, ..Backward::default() };
    let alphas = Backward { draw_p: 64, workspace: 1 << 30, ..good };
    let refused = |function, b: &Backward| {
        // SAFETY: the call is refused: nothing is read or written.
        unsafe { raw.backward(function, VALUE, DType::F32, b) }.unwrap_err()
    };
    assert_eq!(refused(ActivationKind::Relu2, &alphas), Error::NoAlphas);
    for kind in [ActivationKind::Silu, ActivationKind::Swiglu] {
        assert_eq!(refused(kind, &good), Error::NoKernel(kind));
    }
    let xielu = |b: Backward| refused(ActivationKind::Xielu, &b);
    assert_eq!(xielu(Backward { x: 0, ..good }), Error::Null("x"));
    assert_eq!(xielu(Backward { dy: 0, ..good }), Error::Null("dy"));
    assert_eq!(xielu(Backward { dx: at + 4, ..good }), Error::Overlap("dx"));
    assert_eq!(xielu(Backward { draw_p: 66, ..alphas }), Error::Alignment("draw_p"));
    assert_eq!(xielu(Backward { draw_n: 1, ..alphas }), Error::Alignment("draw_n"));
    assert_eq!(xielu(Backward { workspace: 0, ..alphas }), Error::Null("workspace"));
    assert_eq!(xielu(Backward { workspace: at + 12, ..alphas }), Error::Alignment("workspace"));
    assert_eq!(xielu(Backward { workspace: at + 8, ..alphas }), Error::Overlap("workspace"));
    let swiglu =
        SwigluBackward { gate: at, up: at, dy: at, d_gate: at, d_up: at, n: 4, accumulate: false };
    // SAFETY: the call is refused: nothing is read or written.
    let error = unsafe { raw.swiglu_backward(DType::F32, &swiglu) };
    assert_eq!(error, Err(Error::Overlap("d_up")));
    let scalars = RawScalars { alpha_p: at, alpha_n: at, dtype: DType::F32, beta: 0.5, eps: 0.0 };
    // SAFETY: likewise.
    unsafe {
        assert_eq!(raw.freeze(ActivationKind::Relu2, &scalars, at), Err(Error::NoAlphas));
        assert_eq!(
            raw.freeze(ActivationKind::Xielu, &scalars, 0),
            Err(Error::Null("coefficients"))
        );
        let one = RawScalars { alpha_n: 0, ..scalars };
        assert_eq!(raw.freeze(ActivationKind::Xielu, &one, at), Err(Error::Null("alpha_n")));
    }
}

#[test]
fn errors_say_what_is_wrong() {
    let cases = [
        (Error::NoDriver, "no CUDA driver found: libcuda"),
        (Error::OldDriver(11_040), "version 11.4, at least 12.0"),
        (Error::Null("dx"), "dx is null"),
        (Error::PartialBlock(33), "33 values"),
        (Error::Length { what: "dst", expected: 3, found: 2 }, "dst has 2 elements, expected 3"),
        (Error::OtherContext("the stream"), "the stream belongs to another device"),
    ];
    for (error, text) in cases {
        assert!(error.to_string().contains(text), "{error}");
        assert_eq!(format!("{error:?}"), error.to_string());
    }
}

/// Each gradient alone has the bits it has together with the others.
#[test]
fn unwanted_gradients_are_left_out() {
    let [x, dy] = [1, 2].map(|seed| pre_activations(20_000, seed));
    let f = functions()[7];
    for machine in machines() {
        let all = Call::on(&machine).run(f, &x, &dy);
        let [x_there, dy_there] = [&x, &dy].map(|v| machine.copy(v, 0));
        let n = x.len() as u64;
        for wanted in 0..8u32 {
            let dx = machine.copy(&vec![3.0f32; x.len()], 0);
            let alphas = machine.copy(&[3.0f32; 2], 0);
            let workspace = machine.copy(&vec![0u8; backward_workspace_len(n) as usize], 0);
            let if_wanted = |bit, address| if wanted & bit == 0 { 0 } else { address };
            let operands = Backward {
                x: x_there.address(),
                dy: dy_there.address(),
                dx: if_wanted(1, dx.address()),
                draw_p: if_wanted(2, alphas.address()),
                draw_n: if_wanted(4, alphas.address() + 4),
                workspace: if_wanted(6, workspace.address()),
                n,
                ..Backward::default()
            };
            let scalars = Scalars::from(&f);
            // SAFETY: the buffers hold what they must and outlive `read`, which waits.
            unsafe { machine.raw(9).backward(f.kind(), scalars, DType::F32, &operands) }.unwrap();
            let expected = if wanted & 1 == 0 { vec![3.0; x.len()] } else { all.dx.clone() };
            same_bits("dx", &x, &dx.read(), &expected);
            let found: Vec<f32> = alphas.read();
            for (i, bit) in [2, 4].into_iter().enumerate() {
                assert_eq!(found[i], if wanted & bit == 0 { 3.0 } else { all.alphas[i] });
            }
        }
    }
}

/// Stored scalars frozen on the device are those that the CPU freezes.
#[test]
fn freezing() {
    let raws = [0.2, -1.05, 3.0, 17.75, 20.5, 166.0, -30.0, -80.0, 0.0].map(bf16::from_f32);
    for machine in machines() {
        for (&p, &n) in raws.iter().flat_map(|p| raws.iter().map(move |n| (p, n))) {
            let there = machine.copy(&[p, n], 2);
            let out = machine.copy(&[0u8; 32], 0);
            let (beta, eps) = (0.5, -1e-6);
            let raw = RawScalars {
                alpha_p: there.address(),
                alpha_n: there.address() + 2,
                dtype: DType::BF16,
                beta,
                eps,
            };
            let host = RawXielu { alpha_p: p.to_f32(), alpha_n: n.to_f32(), beta, eps };
            let (xielu, xiprelu) = (host.freeze(Form::Clamped), Xiprelu::freeze(&host));
            for (function, alpha_p, alpha_n) in [
                (ActivationKind::Xielu, xielu.alpha_p(), xielu.alpha_n()),
                (ActivationKind::Xiprelu, xiprelu.alpha_p(), xiprelu.alpha_n()),
            ] {
                // SAFETY: the buffers hold what they must and outlive `read`, which waits.
                unsafe { machine.raw(1).freeze(function, &raw, out.address()) }.unwrap();
                let bytes: Vec<u8> = out.read();
                let floats: Vec<f32> = bytemuck::pod_collect_to_vec(&bytes[..16]);
                assert_eq!(floats, [alpha_p, alpha_n, beta, eps], "{host:?}");
                let doubles: Vec<f64> = bytemuck::pod_collect_to_vec(&bytes[16..]);
                for (found, raw) in doubles.into_iter().zip([p, n]) {
                    let expected = reference::sigmoid(raw.to_f64());
                    assert!((found / expected - 1.0).abs() < 1e-14, "{found}, {expected}");
                }
            }
        }
    }
}

/// What the compiler made of the sources: an operation whose rounding is not fixed would let a
/// driver contract or flush it, and the bits would be the driver's.
#[test]
fn every_f32_operation_of_the_ptx_is_exact_about_rounding() {
    for &kernel in Kernel::ALL {
        let ptx = kernel.ptx();
        for entry in kernel.entries() {
            assert!(ptx.contains(&format!(".visible .entry {entry}(")), "{entry}");
        }
        assert_eq!(ptx.matches(".visible .entry").count(), kernel.entries().len());
        let target = format!(".target sm_{}\n", kernel.capability());
        assert!(ptx.contains(&target) && ptx.contains(".version 7.0"), "{}", kernel.stem());
        assert!(ptx.contains(".maxntid 256, 1, 1"), "blocks of 256 threads");
        for line in ptx.lines().map(str::trim).filter(|l| l.contains(".f32")) {
            let operation = line.split_whitespace().find(|w| !w.starts_with('@')).unwrap();
            let arithmetic =
                ["add", "sub", "mul", "fma", "div", "mad", "sqrt", "ex2", "lg2", "rcp"];
            if arithmetic.iter().any(|a| operation.starts_with(&format!("{a}."))) {
                assert!(operation.contains(".rn.f32"), "{}: {line}", kernel.stem());
            }
            assert!(!operation.contains(".ftz"), "{}: {line}", kernel.stem());
        }
        assert!(!ptx.contains(".local"), "{}: memory of a thread", kernel.stem());
        let mut words = ptx.split_whitespace();
        assert!(!words.any(|w| w.starts_with("atom.") || w.starts_with("red.")), "atomics");
    }
}
