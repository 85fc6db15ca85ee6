//! Damaged weights and values that outgrow their type: an error that names where, never a token.

use xielu::activation::ActivationKind;
use xielu::checkpoint::{LayerRole, Role};
use xielu::config::RopeStyle;
use xielu::kernels::{DType, F16};
use xielu::llama::{DecoderOptions, KvType};
use xielu::{Config, Error, NonFinite};
use xielu_testing::decoding::{Setting, with_decoder};
use xielu_testing::toy::{TOKENS, Toy, config};

const ACTS: [ActivationKind; 4] =
    [ActivationKind::Xielu, ActivationKind::Xiprelu, ActivationKind::Relu2, ActivationKind::Swiglu];

/// Decodes a text, with the logits of every token.
fn decode(toy: &Toy, kv_type: KvType, options: DecoderOptions) -> Result<(), Error> {
    let setting = Setting { kv_type, options, ..Setting::exact(32) };
    with_decoder(&toy, setting, |d| {
        for tokens in TOKENS.chunks(options.batch) {
            d.batch(tokens)?;
            let mut logits = vec![0.0; tokens.len() * toy.config.output_vocab_size];
            d.logits(&mut logits)?;
            assert!(logits.iter().all(|l| l.is_finite()));
        }
        Ok(())
    })
}

/// Where damage to a tensor appears first. That of the first layer's attention is there; a row of
/// the output head is a token's logit.
fn place(role: Role) -> NonFinite {
    use LayerRole::*;
    match role {
        Role::TokenEmbd => NonFinite::Embedding,
        Role::OutputNorm | Role::Output => NonFinite::Logit { token: 0 },
        Role::Layer(layer, FfnNorm | FfnGate | FfnUp | FfnDown) => NonFinite::Mlp(layer),
        Role::Layer(layer, _) => NonFinite::Attention(layer),
        Role::RopeFreqs => NonFinite::Attention(0),
    }
}

/// The bytes of a damaged scale or value, one for each kind of damage.
fn damages(dtype: DType) -> Vec<Vec<u8>> {
    let bad = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY];
    match dtype {
        DType::F32 => bad.map(|v| v.to_le_bytes().to_vec()).into(),
        DType::BF16 => bad.map(|v| v.to_le_bytes()[2..].to_vec()).into(),
        _ => bad.map(|v| F16::from(v).0.to_vec()).into(),
    }
}

#[test]
fn a_damaged_value_of_any_tensor_names_its_layer() {
    for act in ACTS {
        for (dtype, qk_norm) in
            [(DType::F32, true), (DType::BF16, false), (DType::Q8_0, true), (DType::Q4_0, false)]
        {
            let shape = config(act, RopeStyle::Neox, qk_norm, false);
            for role in Role::all(&shape) {
                let stored = if role.is_vector() { DType::F32 } else { dtype };
                for bytes in damages(stored) {
                    let mut toy = Toy::new(shape, dtype);
                    toy.overwrite(role, embedding_row(role, stored, &shape), &bytes);
                    for options in [DecoderOptions::SMALLEST, DecoderOptions::default()] {
                        let found = decode(&toy, KvType::F32, options);
                        let expected = Err(Error::NonFinite(place(role)));
                        assert_eq!(found, expected, "{act:?} {dtype} {role} {bytes:x?}");
                    }
                }
            }
        }
    }
}

/// Where the damage goes: to the beginning, but to a token's row that is used.
fn embedding_row(role: Role, dtype: DType, shape: &Config) -> usize {
    match role {
        Role::TokenEmbd => TOKENS[5] as usize * dtype.row_bytes(shape.hidden_size).unwrap(),
        _ => 0,
    }
}

#[test]
fn values_too_large_to_be_normalised_are_not_taken_for_zeros() {
    for (role, expected) in [
        (Role::TokenEmbd, NonFinite::Embedding),
        (Role::Layer(0, LayerRole::AttnOutput), NonFinite::Attention(0)),
        (Role::Layer(0, LayerRole::FfnDown), NonFinite::Mlp(0)),
        (Role::Layer(1, LayerRole::FfnDown), NonFinite::Mlp(1)),
    ] {
        let mut toy =
            Toy::new(config(ActivationKind::Xielu, RopeStyle::Neox, true, false), DType::F32);
        let at = embedding_row(role, DType::F32, &toy.config);
        toy.overwrite(role, at, &1e30f32.to_le_bytes());
        let found = decode(&toy, KvType::F32, DecoderOptions::default());
        assert_eq!(found, Err(Error::NonFinite(expected)), "{role}");
    }
}

/// Keys or values beyond the range of the cache: with f16 and Q8_0 that is an error, bf16 and f32
/// hold them.
#[test]
fn a_cache_that_overflows_names_the_layer_and_what_helps() {
    let shape =
        Config { head_dim: 32, ..config(ActivationKind::Swiglu, RopeStyle::Neox, false, false) };
    for role in [LayerRole::AttnK, LayerRole::AttnV] {
        let mut toy = Toy::new(shape, DType::F32);
        let large: Vec<u8> =
            toy.values(Role::Layer(1, role)).iter().flat_map(|v| (v * 1e8).to_le_bytes()).collect();
        toy.overwrite(Role::Layer(1, role), 0, &large);
        for kv_type in [KvType::F16, KvType::Q8_0] {
            let found = decode(&toy, kv_type, DecoderOptions::default());
            let expected = NonFinite::KvCache { layer: 1, kv_type };
            assert_eq!(found, Err(Error::NonFinite(expected)), "{role:?}");
            let text = found.unwrap_err().to_string();
            assert!(text.contains("layer 1") && text.contains("bf16 can hold it"), "{text}");
        }
        for kv_type in [KvType::BF16, KvType::F32] {
            assert_eq!(decode(&toy, kv_type, DecoderOptions::default()), Ok(()), "{role:?}");
        }
    }
}

/// A damaged row of the output head is that token's logit.
#[test]
fn a_logit_names_its_token() {
    let mut toy = Toy::new(config(ActivationKind::Xielu, RopeStyle::Neox, true, true), DType::F32);
    // Token 20 is not in the text: its embedding is only a row of the tied head.
    toy.overwrite(Role::TokenEmbd, 20 * 64 * 4, &f32::NAN.to_le_bytes());
    for options in [DecoderOptions::SMALLEST, DecoderOptions::default()] {
        let found = decode(&toy, KvType::F32, options);
        assert_eq!(found, Err(Error::NonFinite(NonFinite::Logit { token: 20 })));
    }
}
