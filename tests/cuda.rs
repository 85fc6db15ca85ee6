//! The decoder on a CUDA device is the CPU's: skipped where there is no device;
//! `kernels-cuda/tools/pretended.sh` has a driver without one.

use std::ops::ControlFlow;

use xielu::activation::ActivationKind;
use xielu::checkpoint::{Checkpoint, LayerRole, Role};
use xielu::config::{RopeScaling, RopeStyle};
use xielu::kernels::DType;
use xielu::llama::{
    CudaDecoder, CudaMemory, Decoder, DecoderOptions, Generation, KvType, Layer, Model,
    ReserveError, Sampler, SamplerOptions,
};
use xielu::session::{GenerateOptions, PerplexityOptions, SessionOptions};
use xielu::{Error, NonFinite, Session};
use xielu_testing::decoding::{Setting, with_decoder};
use xielu_testing::kernels::unrounded_kernel;
use xielu_testing::toy::{TOKENS, Toy, config, logits};
use xielu_testing::{in_repository, relative_error, require};

/// A trained model whose inputs are not quantized: its results are the CPU's to the order of sums.
const FLOATS: &str = "tests/data/tiny-bf16.gguf";
/// One whose inputs are: a rounding may turn a quant, as it does between instruction sets.
const QUANTIZED: &str = "models/tiny-Q8_0.gguf";

/// Whether there is a device; if not, the test is skipped.
#[track_caller]
fn there_is_a_device() -> bool {
    match xielu::cuda::Cuda::new(0) {
        Ok(_) => true,
        Err(error) => {
            require::skip("cuda", &error.to_string());
            false
        }
    }
}

/// Runs `f` with a decoder of `context` positions on the device.
fn on_device<'w, C: Checkpoint<'w> + ?Sized, R>(
    checkpoint: &C,
    context: usize,
    (kv_type, batch): (KvType, usize),
    f: impl FnOnce(&mut Decoder) -> R,
) -> R {
    let mut layers = vec![Layer::EMPTY; checkpoint.config().unwrap().num_layers];
    let model = Model::load(checkpoint, &mut layers).unwrap();
    let mut device = CudaDecoder::open(0, &model, kv_type, batch).unwrap();
    device.reserve(&model, context).unwrap();
    let options = DecoderOptions { batch, ..DecoderOptions::default() };
    f(&mut Decoder::on_device(&model, options, &mut device))
}

/// Logits of the text of every toy, in batches of 1, 5 and all, are the CPU's.
fn check(what: &str, toy: &Toy, kv_type: KvType, tolerance: f64) {
    let setting = Setting { kv_type, ..Setting::exact(12) };
    let expected = with_decoder(&toy, setting, |d| logits(d, 12));
    for batch in [1, 5, 12] {
        let found = on_device(&toy, 12, (kv_type, batch), |d| logits(d, batch));
        let error = relative_error(&found, &expected);
        assert!(error < tolerance, "{what}, batches of {batch}: {error:e}");
    }
}

/// Every switch of a model: activations, styles of RoPE, norms of heads, tied heads, scalings.
#[test]
fn every_kind_of_model_has_the_cpus_logits() {
    if !there_is_a_device() {
        return;
    }
    for act in [
        ActivationKind::Xielu,
        ActivationKind::Xiprelu,
        ActivationKind::Relu2,
        ActivationKind::Swiglu,
    ] {
        for style in [RopeStyle::Neox, RopeStyle::Interleaved] {
            for (qk_norm, tied) in [(false, true), (true, false)] {
                let toy = Toy::new(config(act, style, qk_norm, tied), DType::F32);
                let what = format!("{act}, {style:?}, norms {qk_norm}, tied {tied}");
                check(&what, &toy, KvType::F32, 3e-6);
            }
        }
    }
    let scalings = [
        RopeScaling::Linear { factor: 4.0 },
        RopeScaling::Llama3 {
            factor: 8.0,
            low_freq_factor: 1.0,
            high_freq_factor: 4.0,
            original_context: 64,
        },
    ];
    for scaling in scalings {
        let mut shape = config(ActivationKind::Xielu, RopeStyle::Neox, true, false);
        shape.rope.scaling = scaling;
        check("a scaling of RoPE", &Toy::new(shape, DType::F32), KvType::F32, 3e-6);
    }
}

/// Where inputs are quantized a difference of one rounding may become one of a quant: tolerances
/// are of that, not of the products, which have tests of their own.
#[test]
fn every_type_of_weights_and_cache() {
    if !there_is_a_device() {
        return;
    }
    let mut shape = config(ActivationKind::Swiglu, RopeStyle::Neox, true, false);
    (shape.hidden_size, shape.intermediate_size) = (256, 512);
    (shape.num_heads, shape.num_kv_heads, shape.head_dim) = (8, 4, 32);
    let types = [DType::BF16, DType::F16, DType::Q8_0, DType::Q4_0, DType::Q4_K, DType::Q6_K];
    for dtype in types {
        let toy = Toy::new(shape, dtype);
        check(&dtype.to_string(), &toy, KvType::F32, 5e-3);
    }
    // Of all types together: the embedding's rows come from the device or from the host.
    let mut types = DType::ALL.into_iter().cycle().skip(7);
    let toy = Toy::with_types(shape, |_| types.next().unwrap());
    check("a mixture", &toy, KvType::F32, 1e-2);
    let toy = Toy::new(shape, DType::F32);
    for (kv_type, tolerance) in [(KvType::F16, 2e-4), (KvType::BF16, 2e-3), (KvType::Q8_0, 2e-2)] {
        check(kv_type.name(), &toy, kv_type, tolerance);
    }
}

fn run_a_little(d: &mut Decoder) -> Result<(), Error> {
    let mut logits = vec![0.0; 40];
    d.batch(&[0, 3, 0])?;
    d.logits(&mut logits)?;
    d.step(5, &mut logits)
}

#[test]
fn values_that_are_no_numbers_are_blamed_as_on_the_cpu() {
    if !there_is_a_device() {
        return;
    }
    let shape = config(ActivationKind::Xielu, RopeStyle::Neox, true, false);
    let nan = f32::NAN.to_le_bytes();
    let large = 1e30f32.to_le_bytes();
    let places = [
        (Role::TokenEmbd, nan),
        (Role::Layer(0, LayerRole::AttnQ), nan),
        (Role::Layer(1, LayerRole::AttnK), nan),
        (Role::Layer(0, LayerRole::AttnV), large),
        (Role::Layer(1, LayerRole::AttnOutput), nan),
        (Role::Layer(0, LayerRole::FfnUp), nan),
        (Role::Layer(1, LayerRole::FfnDown), nan),
        (Role::Output, nan),
    ];
    for (role, bytes) in places {
        let mut toy = Toy::new(shape, DType::F32);
        toy.overwrite(role, 0, &bytes);
        let toy = &toy;
        let setting = Setting { kv_type: KvType::F16, ..Setting::exact(12) };
        let expected = with_decoder(&toy, setting, run_a_little);
        assert!(matches!(expected, Err(Error::NonFinite(_))), "{role:?}: {expected:?}");
        let found = on_device(&toy, 12, (KvType::F16, 4), run_a_little);
        assert_eq!(found, expected, "{role:?}");
    }
    // What is chosen on the device says so, too.
    let mut toy = Toy::new(shape, DType::F32);
    toy.overwrite(Role::Output, 4 * 7 * shape.hidden_size, &nan);
    let toy = &toy;
    let found = on_device(&toy, 12, (KvType::F16, 4), |d| {
        d.batch(&TOKENS[..3])?;
        let mut generation = Generation::new(Sampler::new(SamplerOptions::default()), 3);
        let mut logits = vec![1.0; 40];
        generation.next_token(d, &mut logits, |_| false)?;
        generation.next_token(d, &mut logits, |_| false)
    });
    assert_eq!(found, Err(Error::NonFinite(NonFinite::Logit { token: 7 })));
}

#[test]
fn wrong_calls_are_refused_and_rewinding_forgets() {
    if !there_is_a_device() {
        return;
    }
    let toy = &Toy::new(config(ActivationKind::Xielu, RopeStyle::Neox, true, false), DType::F32);
    on_device(&toy, 12, (KvType::F16, 5), |d| {
        let mut logits = vec![0.0; 40];
        assert!(d.logits(&mut logits).is_err());
        let token = Error::Token { id: 40, vocab_size: 40 };
        assert_eq!(d.batch(&[3, 40]), Err(token));
        assert!(d.batch(&TOKENS[..6]).is_err());
        assert!(d.batch_observed(&[1], |_, _, _| ()).is_err());
        d.prompt(&TOKENS).unwrap();
        assert_eq!((d.position(), d.context()), (12, 12));
        let full = Error::ContextFull { needed: 13, context: 12 };
        assert_eq!(d.step(1, &mut logits), Err(full));
        d.rewind(6);
        assert!(d.logits(&mut logits).is_err());
        d.step(TOKENS[6], &mut logits).unwrap();
        let mut again = vec![0.0; 40];
        d.rewind(0);
        d.prompt(&TOKENS[..7]).unwrap();
        d.logits(&mut again).unwrap();
        assert!(relative_error(&again, &logits) < 1e-6);
        // More rows than the last batch had.
        assert!(d.logits(&mut vec![0.0; 40 * 3]).is_err());
    });
}

#[test]
fn what_a_device_does_not_have_is_said_before_it_is_opened() {
    let open = |shape| {
        let toy = &Toy::new(shape, DType::F32);
        let mut layers = vec![Layer::EMPTY; shape.num_layers];
        let model = Model::load(&toy, &mut layers).unwrap();
        CudaDecoder::open(99, &model, KvType::F16, 4).unwrap_err().to_string()
    };
    let shape = config(ActivationKind::Silu, RopeStyle::Neox, false, false);
    assert!(open(shape).contains("SiLU"), "{}", open(shape));
    let mut shape = config(ActivationKind::Xielu, RopeStyle::Neox, false, false);
    let error = open(shape);
    assert!(error.contains("CUDA"), "{error}");
    shape.head_dim = 512;
    assert!(open(shape).contains("wider than 256"), "{}", open(shape));
}

#[test]
fn too_little_memory_is_said_before_anything_is_copied() {
    if !there_is_a_device() {
        return;
    }
    let toy = &Toy::new(config(ActivationKind::Xielu, RopeStyle::Neox, true, false), DType::F32);
    let mut layers = vec![Layer::EMPTY; toy.config().unwrap().num_layers];
    let model = Model::load(&toy, &mut layers).unwrap();
    let mut device = CudaDecoder::open(0, &model, KvType::F32, 4).unwrap();
    device.reserve(&model, 12).unwrap();
    let most = 1 << 40;
    let needed = CudaMemory::new(&model, most, KvType::F32, 4);
    assert!(needed.kv_cache > 1 << 45 && needed.total() > needed.working());
    match device.reserve(&model, most) {
        Err(ReserveError::Memory { needed: said, .. }) => assert_eq!(said, needed.working()),
        other => panic!("{other:?}"),
    }
    assert_eq!(device.context(), 12);
}

fn session(model: &str, device: Option<usize>, kv_type: KvType) -> Session {
    let kernels = unrounded_kernel();
    let options = SessionOptions { device, kv_type, kernels, ..SessionOptions::default() };
    Session::open_with(in_repository(model), &options).unwrap()
}

/// The same on the CPU and on the device.
fn sessions(model: &str) -> [Session; 2] {
    [None, Some(0)].map(|device| session(model, device, KvType::F16))
}

fn greedy(session: &mut Session, prompt: &str, n: usize) -> Vec<u32> {
    let ids = session.prompt_ids(prompt).unwrap();
    let options = GenerateOptions { limit: Some(n), ..GenerateOptions::default() };
    session.begin(ids.len(), &options).unwrap();
    session.read(&ids, |_| ControlFlow::Continue(())).unwrap();
    let mut out = Vec::new();
    let push = |id| {
        out.push(id);
        ControlFlow::Continue(())
    };
    session.write(&options, push).unwrap();
    out
}

#[test]
fn trained_models_write_the_cpus_tokens() {
    if !there_is_a_device() {
        return;
    }
    let prompts = ["The `Vec<T>` type is", "fn main() {\n    let mut", "An iterator"];
    for (model, tokens) in [(FLOATS, 40), (QUANTIZED, 12)] {
        let [mut cpu, mut device] = sessions(model);
        for prompt in prompts {
            let expected = greedy(&mut cpu, prompt, tokens);
            assert_eq!(greedy(&mut device, prompt, tokens), expected, "{model}, {prompt}");
        }
        assert!(device.device_memory(64).unwrap().total() > 0);
        assert!(device.device_name().unwrap().is_some());
        assert_eq!(cpu.device_name().unwrap(), None);
    }
}

fn compare_perplexity(model: &str, kv_type: KvType, windows: Option<usize>, tolerance: f64) {
    let text = std::fs::read_to_string(in_repository("models/heldout.txt")).unwrap();
    let options = PerplexityOptions { window: 128, windows, ..PerplexityOptions::default() };
    let [cpu, device] = [None, Some(0)].map(|device| {
        let mut session = session(model, device, kv_type);
        let result = session.perplexity(&text, &options, |_| ControlFlow::Continue(()));
        result.unwrap().value()
    });
    let kv = kv_type.name();
    println!("{model}, {kv}: {cpu:.6} on the CPU, {device:.6} on the device");
    assert!((device / cpu - 1.0).abs() < tolerance, "{model}, {kv}: {device}, the CPU's {cpu}");
}

/// Of the quantized model the CPU's own instruction sets differ by 1.3e-3 on so short a text.
#[test]
fn trained_models_have_the_cpus_perplexity() {
    if !there_is_a_device() {
        return;
    }
    compare_perplexity(FLOATS, KvType::F16, Some(4), 1e-5);
    compare_perplexity(FLOATS, KvType::BF16, Some(4), 2e-5);
    compare_perplexity(FLOATS, KvType::Q8_0, Some(4), 2e-4);
    compare_perplexity(QUANTIZED, KvType::F16, Some(4), 3e-3);
}

#[test]
#[ignore = "a minute: kernels-cuda/tools/pretended.sh cargo test --workspace --all-features --test cuda -- --ignored"]
fn the_bundled_model_has_the_cpus_perplexity_on_the_whole_text() {
    if !there_is_a_device() {
        return;
    }
    compare_perplexity(QUANTIZED, KvType::F16, None, 5e-5);
}

/// A state of one is read by the other.
#[test]
fn states_go_from_the_device_to_the_cpu_and_back() {
    if !there_is_a_device() {
        return;
    }
    let prompt = "The `Vec<T>` type is";
    let [mut cpu, mut device] = sessions(FLOATS);
    let ids = greedy(&mut device, prompt, 20);
    let mut saved = Vec::new();
    device.write_state(&mut saved).unwrap();
    let options = GenerateOptions { limit: Some(10), ..GenerateOptions::default() };
    for session in [&mut cpu, &mut device] {
        session.read_state(&saved[..]).unwrap();
        let mut all = ids.clone();
        let push = |id| {
            all.push(id);
            ControlFlow::Continue(())
        };
        session.write(&options, push).unwrap();
        assert_eq!(all, greedy(session, prompt, 30));
    }
}
