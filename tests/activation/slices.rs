//! The slice forms: every instruction set gives the same bits, wherever an element lies.

use half::{bf16, f16};
use xielu::activation::{
    Activation, Elementwise, Elu, Form, Relu2, Silu, Swiglu, Xielu, Xiprelu, Xsilu,
};
use xielu::kernels::{Kernels, LengthError};
use xielu::{Backend, Error, RawXielu, Serial};
use xielu_testing::kernels::every_backend;
use xielu_testing::noise::Noise;

use crate::stored::{Stored, bits};

fn functions() -> Vec<Activation> {
    let raw = RawXielu { alpha_p: 17.75, alpha_n: 5.78, ..RawXielu::PAPER_INIT };
    vec![
        RawXielu::PAPER_INIT.freeze(Form::Ideal).into(),
        raw.freeze(Form::Ideal).into(),
        raw.freeze(Form::Clamped).into(),
        Xiprelu::freeze(&raw).into(),
        Relu2.into(),
        Silu.into(),
        Elu { alpha: 1.5 }.into(),
        Xsilu { alpha: 0.3 }.into(),
        Xsilu { alpha: 0.0 }.into(),
    ]
}

/// Values of every exponent and both signs, the special ones among them.
fn values<T: Stored>() -> Vec<T> {
    let special = [
        0.0,
        f32::MIN_POSITIVE,
        f32::MAX,
        f32::INFINITY,
        f32::NAN,
        f32::from_bits(1),
        f32::from_bits(0x7fa0_1234), // a signalling NaN with a payload
        1e-6,
        87.0,
        104.0,
        120.5,
    ];
    let mut noise = Noise::new(1);
    let random = std::iter::repeat_with(|| f32::from_bits((noise.bits() >> 32) as u32));
    let near = (0..4000).map(|i| (i - 2000) as f32 / 97.0);
    let all = special.into_iter().flat_map(|x| [x, -x]).chain(random.take(40_000)).chain(near);
    let encodings = (0..=u16::MAX).map(T::from_encoding);
    all.map(T::narrow).chain(encodings).collect()
}

fn same_bits_everywhere<T: Stored>() {
    let src = values::<T>();
    for f in functions() {
        let one_by_one: Vec<u32> =
            src.iter().map(|x| T::narrow(f.apply(x.wide())).bits()).collect();
        for backend in every_backend() {
            let mut dst = vec![T::default(); src.len()];
            f.forward(&backend, &src, &mut dst).unwrap();
            let mut in_place = src.clone();
            f.forward_in_place(&backend, &mut in_place).unwrap();
            for (i, (&found, &expected)) in bits(&dst).iter().zip(&one_by_one).enumerate() {
                assert_eq!(found, expected, "{f:?} at {:?} with {backend:?}", src[i]);
            }
            assert_eq!(bits(&in_place), one_by_one, "{f:?} in place with {backend:?}");
        }
    }
}

#[test]
fn same_bits_on_every_instruction_set() {
    same_bits_everywhere::<f32>();
    same_bits_everywhere::<bf16>();
    same_bits_everywhere::<f16>();
}

/// Every length up to 70 at every offset of a vector: the neighbours stay untouched.
fn lengths_and_offsets<T: Stored>() {
    let f: Activation = RawXielu::PAPER_INIT.freeze(Form::Ideal).into();
    let src: Vec<T> = (0..96).map(|i| T::narrow((i - 48) as f32 / 9.0)).collect();
    let expected: Vec<T> = src.iter().map(|x| T::narrow(f.apply(x.wide()))).collect();
    let guard = T::narrow(77.0);
    for backend in every_backend() {
        for offset in 0..9 {
            for n in 0..=70 {
                let range = offset..offset + n;
                let mut dst = [guard; 96];
                f.forward(&backend, &src[range.clone()], &mut dst[range.clone()]).unwrap();
                assert_eq!(dst[range.clone()], expected[range.clone()]);
                assert!(dst[..offset].iter().chain(&dst[range.end..]).all(|&v| v == guard));
                let mut x = src.clone();
                f.forward_in_place(&backend, &mut x[range.clone()]).unwrap();
                assert_eq!(x[range.clone()], expected[range.clone()]);
                assert_eq!(x[..offset], src[..offset]);
                assert_eq!(x[range.end..], src[range.end..]);
            }
        }
    }
}

#[test]
fn any_length_at_any_offset() {
    lengths_and_offsets::<f32>();
    lengths_and_offsets::<bf16>();
    lengths_and_offsets::<f16>();
}

fn swiglu_everywhere<T: Stored>() {
    let gate = values::<T>();
    let mut up = gate.clone();
    up.rotate_left(3);
    let scalar = {
        let mut dst = vec![T::default(); gate.len()];
        Swiglu.forward(&Backend::new(Kernels::scalar(), &Serial), [&gate, &up], &mut dst).unwrap();
        bits(&dst)
    };
    let silu: Activation = Silu.into();
    for ((g, u), &y) in gate.iter().zip(&up).zip(&scalar) {
        let product = silu.apply(g.wide()) * u.wide();
        if !product.is_nan() {
            assert_eq!(y, T::narrow(product).bits(), "{g:?} {u:?}");
        }
    }
    for backend in every_backend() {
        for n in (0..70).chain([gate.len()]) {
            let (gate, up) = (&gate[gate.len() - n..], &up[up.len() - n..]);
            let expected = &scalar[scalar.len() - n..];
            let mut dst = vec![T::default(); n];
            Swiglu.forward(&backend, [gate, up], &mut dst).unwrap();
            assert_eq!(bits(&dst), expected);
            let mut up = up.to_vec();
            Swiglu.forward_in_place(&backend, gate, &mut up).unwrap();
            assert_eq!(bits(&up), expected);
        }
    }
}

#[test]
fn swiglu_has_the_same_bits_everywhere() {
    swiglu_everywhere::<f32>();
    swiglu_everywhere::<bf16>();
    swiglu_everywhere::<f16>();
}

#[test]
fn lengths_that_differ_are_an_error() {
    let backend = Backend::default();
    let f: Xielu = RawXielu::PAPER_INIT.freeze(Form::Ideal);
    let mut dst = [7.0f32; 3];
    let wrong = Error::Length(LengthError { expected: 4, found: 3 });
    assert_eq!(f.forward(&backend, &[1.0; 4], &mut dst), Err(wrong));
    assert_eq!(Swiglu.forward(&backend, [&[1.0; 4], &[1.0; 4]], &mut dst), Err(wrong));
    assert_eq!(Swiglu.forward(&backend, [&[1.0; 4], &[1.0; 3]], &mut dst), Err(wrong));
    assert_eq!(Swiglu.forward_in_place(&backend, &[1.0; 4], &mut dst), Err(wrong));
    assert_eq!(dst, [7.0; 3]);
}

#[test]
fn zero_infinities_and_nan() {
    const INF: f32 = f32::INFINITY;
    // f(-inf), f(-0), f(0), f(+inf)
    let alpha = |alpha_p, alpha_n| RawXielu { alpha_p, alpha_n, ..RawXielu::PAPER_INIT };
    let cases: Vec<(Activation, [f32; 4])> = vec![
        (RawXielu::PAPER_INIT.freeze(Form::Ideal).into(), [INF, 0.0, 0.0, INF]),
        (alpha(166.0, 40.75).freeze(Form::Ideal).into(), [INF, 0.0, 0.0, INF]),
        // Both softplus values underflow: beta*x is what remains for x > 0.
        (alpha(-200.0, -200.0).freeze(Form::Ideal).into(), [INF, 0.0, 0.0, INF]),
        (Xiprelu::freeze(&alpha(166.0, 40.75)).into(), [INF, 0.0, 0.0, INF]),
        (Xiprelu::freeze(&alpha(-200.0, -200.0)).into(), [-INF, 0.0, 0.0, INF]),
        (Relu2.into(), [0.0, 0.0, 0.0, INF]),
        (Silu.into(), [0.0, 0.0, 0.0, INF]),
        (Elu { alpha: 1.5 }.into(), [-1.5, 0.0, 0.0, INF]),
        (Xsilu { alpha: 0.5 }.into(), [INF, 0.0, 0.0, INF]),
        (Xsilu { alpha: -0.5 }.into(), [-INF, 0.0, 0.0, INF]),
        (Xsilu { alpha: 0.0 }.into(), [0.0, 0.0, 0.0, INF]),
    ];
    for (f, expected) in cases {
        assert_eq!([-INF, -0.0, 0.0, INF].map(|x| f.apply(x)), expected, "{f:?}");
        for nan in [f32::NAN, -f32::NAN, f32::from_bits(0x7f80_0001)] {
            assert_eq!(f.apply(nan).to_bits(), 0x7fc0_0000, "{f:?}");
        }
    }
}
