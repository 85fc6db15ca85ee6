//! Weights that are read in tiles: the logits are those of the model in memory, bit by bit; what
//! goes wrong while reading is an error, after which the decoder goes on.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use xielu::activation::ActivationKind;
use xielu::checkpoint::Checkpoint;
use xielu::checkpoint::gguf::{GgmlType, Gguf, GgufHead, GgufWriter, Value};
use xielu::config::RopeStyle;
use xielu::kernels::{DType, Kernels};
use xielu::llama::streamed::{
    Blocking, Fault, FileReader, Read, Source, SourceError, StreamedDecoder, StreamedLayer,
    StreamedModel,
};
use xielu::llama::{DecoderOptions, KvCache, KvType, argmax};
use xielu::{Backend, Error, Executor, Serial};
use xielu_testing::decoding::{Setting, with_decoder};
use xielu_testing::toy::{ALPHAS, TOKENS, Toy, config};

const BUNDLED: &str = "models/tiny-Q8_0.gguf";
/// "The `Vec<T>` type is"
const PROMPT: [u32; 10] = [443, 372, 56, 539, 30, 54, 32, 66, 459, 313];

/// How a streamed decoder is made.
#[derive(Clone, Copy)]
struct Way<'b> {
    backend: Backend<'b>,
    batch: usize,
    tile: usize,
}

impl Way<'_> {
    fn new(batch: usize, tile: usize) -> Self {
        Way { backend: Backend::default(), batch, tile }
    }
}

/// Runs `f` with a decoder of 64 positions over the file that begins with `head`.
fn with_streamed<R: Read, T>(
    head: &[u8],
    way: Way<'_>,
    reader: R,
    f: impl for<'b> FnOnce(&mut StreamedDecoder<'_, 'b, '_, Blocking<'b, R>>) -> T,
) -> Result<T, Error> {
    let (mut one, mut other) = (vec![0; way.tile], vec![0; way.tile]);
    let head = GgufHead::parse(head, reader.size())?;
    let config = head.gguf().config()?;
    let mut layers = vec![StreamedLayer::EMPTY; config.num_layers];
    let model = StreamedModel::load(&head, &mut layers)?;
    let mut cache = vec![0; KvCache::bytes_needed(&config, 64, KvType::F16)];
    let cache = KvCache::new(&config, 64, KvType::F16, &mut cache)?;
    let mut scratch = vec![0.0; StreamedModel::scratch_len(&config, way.batch, false)];
    let source = (Blocking::new(reader), [&mut one[..], &mut other[..]]);
    let Way { backend, batch, .. } = way;
    let mut decoder = StreamedDecoder::new(&model, backend, batch, cache, &mut scratch, source)?;
    Ok(f(&mut decoder))
}

/// Logits after each of `tokens`, in batches, by the model in memory.
fn mapped(file: &[u8], batch: usize, tokens: &[u32]) -> Vec<f32> {
    let gguf = Gguf::parse(file).unwrap();
    let options = DecoderOptions { batch, mlp_tile: usize::MAX };
    let setting =
        Setting { backend: Backend::default(), context: 64, kv_type: KvType::F16, options };
    with_decoder(&gguf, setting, |decoder| {
        let vocabulary = decoder.model().config().output_vocab_size;
        let batches = tokens.chunks(batch).flat_map(|tokens| {
            decoder.batch(tokens).unwrap();
            let mut logits = vec![0.0; vocabulary * tokens.len()];
            decoder.logits(&mut logits).unwrap();
            logits
        });
        batches.collect()
    })
}

/// The same by a streamed one.
fn streamed<'b, S: Source<'b>>(
    decoder: &mut StreamedDecoder<'_, 'b, '_, S>,
    vocabulary: usize,
    batch: usize,
    tokens: &[u32],
) -> Result<Vec<f32>, Error> {
    let mut all = Vec::new();
    for tokens in tokens.chunks(batch) {
        decoder.batch(tokens)?;
        let mut logits = vec![0.0; vocabulary * tokens.len()];
        decoder.logits(&mut logits)?;
        all.extend(logits);
    }
    Ok(all)
}

/// Reads from memory in blocks; counts.
#[derive(Clone)]
struct Card {
    bytes: Rc<Vec<u8>>,
    unit: usize,
    seen: Rc<RefCell<Seen>>,
}

#[derive(Default)]
struct Seen {
    reads: usize,
    bytes: u64,
    /// What happens to the read with this number.
    wrong: Option<(usize, Result<usize, Fault>)>,
}

impl Card {
    fn new(bytes: Vec<u8>, unit: usize) -> Self {
        Card { bytes: Rc::new(bytes), unit, seen: Rc::default() }
    }
}

impl Read for Card {
    fn size(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn unit(&self) -> usize {
        self.unit
    }

    fn read(&mut self, offset: u64, buffer: &mut [u8]) -> Result<usize, Fault> {
        let seen = &mut *self.seen.borrow_mut();
        let number = seen.reads;
        seen.reads += 1;
        seen.bytes += buffer.len() as u64;
        let (start, end) = (offset as usize, offset as usize + buffer.len());
        assert!(start.is_multiple_of(self.unit), "{offset}");
        assert!(end.is_multiple_of(self.unit) || end == self.bytes.len(), "{end}");
        buffer.fill(0xaa);
        if let Some((_, result)) = seen.wrong.filter(|(wrong, _)| *wrong == number) {
            return result;
        }
        buffer.copy_from_slice(&self.bytes[start..end]);
        Ok(buffer.len())
    }
}

#[test]
fn the_bundled_model_from_a_file_generates_what_it_does_in_memory() {
    let file = std::fs::read(BUNDLED).unwrap();
    let head_len = GgufHead::parse(&file, file.len() as u64).unwrap().data_start() as usize;
    let head = &file[..head_len];
    for (batch, tile) in [(1, 4096), (4, 8192), (1, 1000)] {
        let reader = FileReader::open(BUNDLED).unwrap();
        let ids: Result<Vec<u32>, Error> =
            with_streamed(head, Way::new(batch, tile), reader, |decoder| {
                decoder.compare(head)?;
                let mut logits = vec![0.0; 1024];
                decoder.prompt(&PROMPT)?;
                decoder.logits(&mut logits)?;
                let next = |_| {
                    let id = argmax(&logits).unwrap();
                    decoder.step(id, &mut logits).map(|()| id)
                };
                (0..40).map(next).collect()
            })
            .unwrap();
        let ids = ids.unwrap();
        let expected = include_str!("../../examples/cortex-m/expected/riscv-virt.out");
        let expected: Vec<u32> =
            expected.lines().filter_map(|line| line.split(' ').next()?.parse().ok()).collect();
        assert_eq!((ids.len(), ids), (40, expected), "{batch} {tile}");
    }
}

#[test]
fn logits_have_the_bits_of_the_model_in_memory() {
    let vocabulary = 1024;
    for path in [BUNDLED, "tests/data/tiny-Q4_0.gguf", "tests/data/tiny-bf16.gguf"] {
        let file = std::fs::read(path).unwrap();
        for (batch, tile, unit) in [(1, 4096, 1), (4, 4096, 512), (10, 2345, 1), (10, 1 << 20, 16)]
        {
            let card = Card::new(file.clone(), unit);
            let ours = with_streamed(&file, Way::new(batch, tile), card, |decoder| {
                streamed(decoder, vocabulary, batch, &PROMPT).unwrap()
            });
            assert!(ours.unwrap() == mapped(&file, batch, &PROMPT), "{path} {batch} {tile} {unit}");
        }
    }
}

/// A model as a file.
fn written(toy: &Toy, act: &str, style: &str) -> Vec<u8> {
    let config = toy.config;
    let mut writer = GgufWriter::new();
    writer.pair("general.architecture", Value::Str("xielu-llama")).unwrap();
    for (key, value) in [
        ("vocab_size", config.vocab_size),
        ("embedding_length", config.hidden_size),
        ("feed_forward_length", config.intermediate_size),
        ("block_count", config.num_layers),
        ("context_length", config.context_length),
        ("attention.head_count", config.num_heads),
        ("attention.head_count_kv", config.num_kv_heads),
        ("attention.key_length", config.head_dim),
        ("attention.value_length", config.head_dim),
    ] {
        let value = Value::U32(value.try_into().unwrap());
        writer.pair(&format!("xielu-llama.{key}"), value).unwrap();
    }
    for (key, value) in [
        ("attention.layer_norm_rms_epsilon", config.rms_norm_eps),
        ("rope.freq_base", config.rope.theta),
    ] {
        writer.pair(&format!("xielu-llama.{key}"), Value::F32(value)).unwrap();
    }
    writer.pair("xielu-llama.hidden_act", Value::Str(act)).unwrap();
    writer.pair("xielu-llama.rope.style", Value::Str(style)).unwrap();
    for (key, value) in [
        ("xielu.alpha_p", ALPHAS.alpha_p),
        ("xielu.alpha_n", ALPHAS.alpha_n),
        ("xielu.beta", ALPHAS.beta),
        ("xielu.eps", ALPHAS.eps),
    ] {
        writer.f32s(key, &vec![value; config.num_layers]).unwrap();
    }
    let mut tensors = Vec::new();
    (&toy)
        .visit(&mut |role, tensor| {
            tensors.push((role.to_string(), tensor));
            Ok(())
        })
        .unwrap();
    for (name, tensor) in &tensors {
        let dims = [tensor.cols as u64, tensor.rows as u64];
        let dims = if tensor.rows == 1 { &dims[..1] } else { &dims[..] };
        writer.tensor(name, dims, GgmlType::from_dtype(tensor.dtype).unwrap()).unwrap();
    }
    let mut data = writer.begin(Vec::new()).unwrap();
    for (_, tensor) in &tensors {
        data.write(tensor.data).unwrap();
    }
    data.finish().unwrap()
}

#[test]
fn every_kind_of_model_has_the_bits_of_the_model_in_memory() {
    for (act, name) in [
        (ActivationKind::Xielu, "xielu"),
        (ActivationKind::Xiprelu, "xiprelu"),
        (ActivationKind::Relu2, "relu2"),
        (ActivationKind::Swiglu, "silu"),
    ] {
        for (style, style_name, tied) in
            [(RopeStyle::Neox, "neox", false), (RopeStyle::Interleaved, "interleaved", true)]
        {
            for (dtype, ffn) in
                [(DType::F32, 96), (DType::F16, 288), (DType::Q8_0, 96), (DType::Q4_0, 544)]
            {
                let mut shape = config(act, style, !tied, tied);
                shape.intermediate_size = ffn;
                let toy = Toy::new(shape, dtype);
                let file = written(&toy, name, style_name);
                assert_eq!(Gguf::parse(&file).unwrap().config().unwrap(), shape);
                for (batch, tile, unit) in [(1, 4096, 1), (5, 2200, 1), (12, 9000, 512)] {
                    let card = Card::new(file.clone(), unit);
                    let ours = with_streamed(&file, Way::new(batch, tile), card, |decoder| {
                        streamed(decoder, shape.vocab_size, batch, &TOKENS).unwrap()
                    });
                    let same = ours.unwrap() == mapped(&file, batch, &TOKENS);
                    assert!(same, "{name} {style_name} {dtype} {ffn} {batch} {tile}");
                }
            }
        }
    }
}

/// Counts what is computed.
#[derive(Default)]
struct Probe(AtomicUsize);

impl Executor for Probe {
    fn threads(&self) -> usize {
        self.0.fetch_add(1, Relaxed);
        1
    }

    fn join(&self, a: &mut (dyn FnMut() + Send), b: &mut (dyn FnMut() + Send)) {
        Serial.join(a, b);
    }

    fn min_operations(&self) -> usize {
        1
    }
}

/// A DMA: it has the buffer from beginning to end, one at a time.
struct Dma<'b, 'p> {
    card: Card,
    begun: Option<(u64, usize, &'b mut [u8], usize)>,
    probe: &'p Probe,
    /// Reads during which something was computed.
    overlapped: usize,
}

impl<'b> Source<'b> for Dma<'b, '_> {
    fn size(&self) -> u64 {
        self.card.size()
    }

    fn begin(&mut self, offset: u64, len: usize, buffer: &'b mut [u8]) {
        assert!(self.begun.is_none() && buffer.len() >= len);
        self.begun = Some((offset, len, buffer, self.probe.0.load(Relaxed)));
    }

    fn finish(&mut self) -> Option<(&'b mut [u8], Result<usize, Fault>)> {
        let (offset, len, buffer, computed) = self.begun.take()?;
        self.overlapped += usize::from(self.probe.0.load(Relaxed) > computed);
        let read = self.card.read(offset, &mut buffer[..len]);
        Some((buffer, read))
    }
}

#[test]
fn a_token_reads_every_weight_once_while_it_computes() {
    let file = std::fs::read(BUNDLED).unwrap();
    let (probe, card) = (Probe::default(), Card::new(file.clone(), 1));
    let head = GgufHead::parse(&file, file.len() as u64).unwrap();
    let config = head.gguf().config().unwrap();
    let mut layers = vec![StreamedLayer::EMPTY; 4];
    let model = StreamedModel::load(&head, &mut layers).unwrap();
    let mut cache = vec![0; KvCache::bytes_needed(&config, 64, KvType::F16)];
    let cache = KvCache::new(&config, 64, KvType::F16, &mut cache).unwrap();
    let mut scratch = vec![0.0; StreamedModel::scratch_len(&config, 1, true)];
    let (mut one, mut other) = (vec![0; 4096], vec![0; 4096]);
    let dma = Dma { card: card.clone(), begun: None, probe: &probe, overlapped: 0 };
    let source = (dma, [&mut one[..], &mut other[..]]);
    let backend = Backend::new(Kernels::detect(), &probe);
    let mut decoder =
        StreamedDecoder::new(&model, backend, 1, cache, &mut scratch, source).unwrap();
    let mut logits = vec![0.0; 1024];
    // RoPE's factors are read once.
    let (reads, bytes) = (card.seen.borrow().reads, card.seen.borrow().bytes);
    for tokens in 1..4 {
        decoder.step(443, &mut logits).unwrap();
        let seen = card.seen.borrow();
        assert_eq!(seen.bytes - bytes, tokens * model.bytes_per_token());
        // All but the embedding's row, and what is read during norms: the norm before the first
        // layer, in each layer the first tile after a norm and that of two norms in a row, the first
        // of the output.
        let waited = seen.reads - reads - decoder.source().overlapped;
        assert!(waited <= (2 + 4 * 4 + 1) * tokens as usize, "{waited} of {}", seen.reads);
    }
}

#[test]
fn after_an_error_of_the_source_the_same_token_can_be_decoded() {
    let file = std::fs::read(BUNDLED).unwrap();
    let truth = mapped(&file, 1, &PROMPT[..3]);
    let card = Card::new(file.clone(), 1);
    let reads = {
        let seen = card.seen.clone();
        with_streamed(&file, Way::new(1, 4096), card.clone(), |decoder| {
            let before = seen.borrow().reads;
            streamed(decoder, 1024, 1, &PROMPT[..1]).unwrap();
            seen.borrow().reads - before
        })
        .unwrap()
    };
    assert!(reads > 250, "{reads}");
    for (at, wrong) in [(0, 5), (1, 5), (reads / 3, 100), (reads / 2, 0), (reads - 1, 7)] {
        for result in [Ok(wrong), Err(Fault(77))] {
            let seen = card.seen.clone();
            let ours = with_streamed(&file, Way::new(1, 4096), card.clone(), |decoder| {
                let mut all = streamed(decoder, 1024, 1, &PROMPT[..1]).unwrap();
                let number = seen.borrow().reads + at;
                seen.borrow_mut().wrong = Some((number, result));
                let mut logits = vec![0.0; 1024];
                let error = decoder.step(PROMPT[1], &mut logits).unwrap_err();
                assert_eq!(decoder.position(), 1);
                match (result, error) {
                    (Ok(_), Error::Source(SourceError::Short { wanted, found, .. })) => {
                        assert!(found == wrong && wanted > found);
                        let text = error.to_string();
                        let begin = format!("{found} bytes came of the {wanted} at ");
                        assert!(text.starts_with(&begin), "{text}");
                    }
                    (Err(_), Error::Source(SourceError::Device { offset, code: 77 })) => {
                        let text = format!("the weights' source reports error 77 at byte {offset}");
                        assert_eq!(error.to_string(), text);
                    }
                    (_, error) => panic!("{error}"),
                }
                for token in &PROMPT[1..3] {
                    decoder.step(*token, &mut logits).unwrap();
                    all.extend(&logits);
                }
                all
            });
            assert!(ours.unwrap() == truth, "{at} {result:?}");
        }
    }
}

#[test]
fn what_cannot_be_read_is_said_in_a_sentence() {
    let file = std::fs::read(BUNDLED).unwrap();
    let way = Way::new(1, 4096);
    let unread = |file: &[u8], card: Card, way| {
        with_streamed(file, way, card, |decoder| streamed(decoder, 1024, 1, &PROMPT[..1]))
    };
    // A card that ends within the last tensor: the head is refused.
    let short = Card::new(file[..file.len() - 1].to_vec(), 1);
    assert!(matches!(unread(&file, short, way), Err(Error::Gguf(_))));
    // One that says it does not.
    struct Liar(Card);
    impl Read for Liar {
        fn size(&self) -> u64 {
            1 << 30
        }
        fn read(&mut self, offset: u64, buffer: &mut [u8]) -> Result<usize, Fault> {
            let bytes = self.0.bytes.get(offset as usize..).unwrap_or_default();
            let n = bytes.len().min(buffer.len());
            buffer[..n].copy_from_slice(&bytes[..n]);
            Ok(n)
        }
    }
    let liar = Liar(Card::new(file[..file.len() - 1].to_vec(), 1));
    let error = with_streamed(&file, way, liar, |decoder| {
        streamed(decoder, 1024, 1, &PROMPT[..1]).unwrap_err()
    });
    assert!(matches!(error.unwrap(), Error::Source(SourceError::Short { .. })));
    // A card that becomes smaller.
    struct Shrinking(Card, Rc<RefCell<usize>>);
    impl Read for Shrinking {
        fn size(&self) -> u64 {
            *self.1.borrow() as u64
        }
        fn read(&mut self, offset: u64, buffer: &mut [u8]) -> Result<usize, Fault> {
            self.0.read(offset, buffer)
        }
    }
    let size = Rc::new(RefCell::new(file.len()));
    let shrinking = Shrinking(Card::new(file.clone(), 1), size.clone());
    let error = with_streamed(&file, way, shrinking, |decoder| {
        *size.borrow_mut() = 100_000;
        streamed(decoder, 1024, 1, &PROMPT[..1]).unwrap_err()
    });
    let error = error.unwrap();
    assert!(matches!(error, Error::Source(SourceError::BeyondEnd { len: 100_000, .. })));
    let text = error.to_string();
    assert!(text.ends_with(" of the weights' source are beyond its 100000 bytes"), "{text}");
    // Another file than the head's.
    let mut other = file.clone();
    other[5000] ^= 1;
    let found = with_streamed(&file, way, Card::new(other, 1), |decoder| {
        (decoder.compare(&file[..4000]), decoder.compare(&file[..9000]))
    });
    let differs = Error::Source(SourceError::OtherFile { offset: 5000 });
    assert_eq!(found.unwrap(), (Ok(()), Err(differs)));
    // Tiles that hold no row of the widest matrix; with blocks of 512 bytes, no row anywhere.
    for (unit, tile, needed) in [(1, 713, 714), (512, 1735, 1736)] {
        let error = unread(&file, Card::new(file.clone(), unit), Way::new(1, tile)).unwrap_err();
        let what = "a tile of the weights";
        assert_eq!(error, Error::Memory { what, needed, found: tile });
        let fits = unread(&file, Card::new(file.clone(), unit), Way::new(1, needed));
        assert!(fits.unwrap().is_ok());
    }
    let odd = unread(&file, Card::new(file.clone(), 48), way);
    assert!(matches!(odd, Err(Error::Config(rule)) if rule.ends_with("not a power of two")));
    // Tokens that are none, and too many.
    let card = Card::new(file.clone(), 1);
    let errors = with_streamed(&file, way, card, |decoder| {
        (decoder.prompt(&[1024]), decoder.batch(&[1, 2]), decoder.prompt(&[1; 65]))
    });
    let (token, batch, prompt) = errors.unwrap();
    assert_eq!(token, Err(Error::Token { id: 1024, vocab_size: 1024 }));
    assert!(matches!(batch, Err(Error::Length(_))));
    assert_eq!(prompt, Err(Error::ContextFull { needed: 65, context: 64 }));
}
