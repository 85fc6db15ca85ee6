//! The chain beside transformers' processors (`tests/data/sampling.json`), itself and the sampler.

use super::*;
use std::string::ToString as _;
use std::vec;
use std::vec::Vec;

use serde_json::Value;

const DATA: &str = include_str!("../../tests/data/sampling.json");

/// null is minus infinity.
fn number(value: &Value) -> f32 {
    if value.is_null() { f32::NEG_INFINITY } else { value.as_f64().unwrap() as f32 }
}

fn id(value: &Value) -> u32 {
    value.as_u64().unwrap() as u32
}

fn pairs(value: &Value) -> Vec<(u32, f32)> {
    let pair = |pair: &Value| (id(&pair[0]), number(&pair[1]));
    value.as_array().map(|all| all.iter().map(pair).collect()).unwrap_or_default()
}

fn options(case: &Value) -> ChainOptions {
    let set = |key: &str, or: f32| case.get(key).map_or(or, number);
    let sampler = SamplerOptions {
        temperature: set("temperature", 1.0),
        top_k: case["top_k"].as_u64().unwrap_or(0) as usize,
        top_p: set("top_p", 1.0),
        seed: 5,
    };
    ChainOptions {
        min_p: set("min_p", 0.0),
        typical_p: set("typical_p", 1.0),
        penalties: Penalties { repetition: set("repetition", 1.0), ..Penalties::NONE },
        last_n: None,
        bias: pairs(&case["bias"]),
        ..ChainOptions::from(sampler)
    }
}

/// Bias and repetition penalty to the bit, the tokens that are left, and their probabilities.
#[test]
fn transformers_leaves_the_same_tokens() {
    let data: Value = serde_json::from_str(DATA).unwrap();
    let cases = data["cases"].as_array().unwrap();
    assert!(cases.len() >= 250, "{}", cases.len());
    for case in cases {
        let row = data["logits"][id(&case["row"]) as usize].as_array().unwrap();
        let mut expected: Vec<f32> = row.iter().map(number).collect();
        let mut logits = expected.clone();
        pairs(&case["changed"]).iter().for_each(|&(id, l)| expected[id as usize] = l);
        let kept = case["kept"].as_array().unwrap();
        let kept: Vec<(usize, f64)> =
            kept.iter().map(|k| (id(&k[0]) as usize, k[1].as_f64().unwrap())).collect();
        for (id, logit) in expected.iter_mut().enumerate() {
            if kept.iter().all(|&(k, _)| k != id) {
                *logit = f32::NEG_INFINITY;
            }
        }
        let options = options(case);
        let temperature = f64::from(options.sampler.temperature);
        let mut chain = SamplerChain::new(options, logits.len()).unwrap();
        case["before"].as_array().unwrap().iter().for_each(|token| chain.accept(id(token)));
        chain.process(&mut logits);
        let bits = |logits: &[f32]| logits.iter().map(|l| l.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&logits), bits(&expected), "{case}");
        let weights: Vec<f64> =
            kept.iter().map(|&(k, _)| (f64::from(logits[k]) / temperature).exp()).collect();
        let total: f64 = weights.iter().sum();
        for (w, &(k, p)) in weights.iter().zip(&kept) {
            assert!((w / total / p - 1.0).abs() < 1e-6, "{k}: {} {p} {case}", w / total);
        }
    }
}

/// Without what only the chain has, it draws what the sampler draws.
#[test]
fn a_chain_of_nothing_is_the_sampler() {
    let logits: Vec<f32> = (0..300u32).map(|i| ((i * 7919) as f32).sin() * 6.0).collect();
    for (temperature, top_k, top_p) in [
        (0.0, 0, 1.0),
        (1.0, 0, 1.0),
        (1.3, 40, 1.0),
        (0.7, 0, 0.9),
        (2.0, 40, 0.95),
        (1.0, 1, 0.1),
    ] {
        let options = SamplerOptions { temperature, top_k, top_p, seed: 9 };
        let mut sampler = Sampler::new(options);
        let mut chain = SamplerChain::new(options.into(), logits.len()).unwrap();
        for _ in 0..200 {
            assert_eq!(chain.sample(&mut logits.clone()), sampler.sample(&logits));
        }
    }
}

/// What is drawn counts, and what leaves the window does no longer.
#[test]
fn penalties_count_among_the_last_tokens() {
    let penalties = Penalties { presence: 1.0, frequency: 10.0, ..Penalties::NONE };
    let lowered = |chain: &SamplerChain| {
        let mut logits = vec![0.0; 4];
        chain.process(&mut logits);
        logits
    };
    for (last_n, expected) in [
        (Some(0), [0.0, 0.0, 0.0, 0.0]),
        (Some(1), [0.0, 0.0, 0.0, -11.0]),
        (Some(3), [0.0, -21.0, 0.0, -11.0]),
        (Some(5), [-11.0, -21.0, 0.0, -11.0]),
        (Some(9), [-11.0, -21.0, -11.0, -11.0]),
        (None, [-11.0, -21.0, -11.0, -11.0]),
    ] {
        let options = ChainOptions { penalties, last_n, ..ChainOptions::default() };
        let mut chain = SamplerChain::new(options, 4).unwrap();
        // 7 is a token that the model reads and does not write.
        [2, 0, 7, 1, 1].into_iter().for_each(|id| chain.accept(id));
        assert_eq!(chain.sample(&mut [f32::MIN, f32::MIN, f32::MIN, 1e30]), Ok(3));
        assert_eq!(lowered(&chain), expected, "{last_n:?}");
    }
    // Greedily, too, and the logits of the next token are as they come.
    let options = ChainOptions { penalties, ..ChainOptions::default() };
    let mut chain = SamplerChain::new(options, 3).unwrap();
    let drawn = [(); 4].map(|()| chain.sample(&mut [3.0, 2.5, -20.0]).unwrap());
    assert_eq!(drawn, [0, 1, 0, 1]);
}

#[test]
fn nothing_forbidden_is_drawn_and_no_memory_is_taken_for_a_token() {
    let warm = SamplerOptions { temperature: 50.0, seed: 3, ..SamplerOptions::default() };
    let bias = vec![(1, f32::NEG_INFINITY), (2, -1.0), (2, -2.0)];
    let penalties = Penalties { frequency: 0.1, ..Penalties::NONE };
    let options = ChainOptions { bias, penalties, last_n: Some(10), ..warm.into() };
    let mut chain = SamplerChain::new(options, 3).unwrap();
    let memory = |chain: &SamplerChain| (chain.counts.as_ptr(), chain.last.as_ptr());
    let before = memory(&chain);
    for _ in 0..500 {
        let mut logits = [0.5, 100.0, 1.0];
        assert_ne!(chain.sample(&mut logits), Ok(1));
        assert!(logits[2] <= -2.0, "a bias of the same token adds up");
    }
    assert_eq!(memory(&chain), before);
    // Numbers that are none are errors as they are without the chain.
    for logits in [[0.0, f32::NAN, 1.0], [f32::INFINITY, 0.0, 1.0], [f32::NEG_INFINITY; 3]] {
        assert!(chain.sample(&mut logits.clone()).is_err(), "{logits:?}");
    }
}

#[test]
fn what_cannot_be_used_is_said() {
    let usable = ChainOptions::default();
    let sampler = |temperature, top_p| {
        let sampler = SamplerOptions { temperature, top_p, ..SamplerOptions::default() };
        ChainOptions { sampler, ..usable.clone() }
    };
    let penalties = |repetition, presence, frequency| {
        let penalties = Penalties { repetition, presence, frequency };
        ChainOptions { penalties, ..usable.clone() }
    };
    let bias = |id, bias| ChainOptions { bias: vec![(id, bias)], ..usable.clone() };
    for (options, says) in [
        (sampler(-0.5, 1.0), "a temperature of -0.5 cannot be"),
        (sampler(f32::INFINITY, 1.0), "a temperature of inf"),
        (sampler(1.0, 0.0), "a top-p of 0 "),
        (sampler(1.0, f32::NAN), "a top-p of NaN "),
        (ChainOptions { min_p: 1.5, ..usable.clone() }, "a min-p of 1.5 "),
        (ChainOptions { min_p: -0.1, ..usable.clone() }, "a min-p of -0.1 "),
        (ChainOptions { typical_p: 0.0, ..usable.clone() }, "a typical-p of 0 "),
        (ChainOptions { typical_p: 2.0, ..usable.clone() }, "a typical-p of 2 "),
        (penalties(0.0, 0.0, 0.0), "a repetition penalty of 0 "),
        (penalties(f32::INFINITY, 0.0, 0.0), "a repetition penalty of inf "),
        (penalties(1.0, f32::NAN, 0.0), "a penalty of NaN "),
        (penalties(1.0, 0.0, f32::NEG_INFINITY), "a penalty of -inf "),
        (bias(4, 1.0), "there is no token 4 to bias: the model writes 4"),
        (bias(3, f32::INFINITY), "token 3 cannot have a bias of inf"),
        (bias(3, f32::NAN), "token 3 cannot have a bias of NaN"),
    ] {
        let error = SamplerChain::new(options, 4).unwrap_err().to_string();
        assert!(error.starts_with(says) && error.lines().count() == 1, "{error}");
    }
    let endless = ChainOptions { last_n: Some(usize::MAX), ..penalties(1.5, 0.0, 0.0) };
    let error = SamplerChain::new(endless, 4).unwrap_err();
    assert_eq!(error, SamplingError::Memory { tokens: usize::MAX });
    assert!(SamplerChain::new(bias(3, f32::NEG_INFINITY), 4).is_ok());
}
