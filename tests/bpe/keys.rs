//! Keys of files: what stands around a prompt, where a generation ends, types of every width.

use xielu::checkpoint::gguf::{Gguf, GgufWriter, Value};
use xielu::tokenizer::Tokenizer;
use xielu::tokenizer::bpe::{Bpe, Special};
use xielu_testing::noise::Noise;

use crate::vocabulary::{Both, PRES, Vocabulary};

/// Keys in every combination, of every width, of tokens that are not there.
#[test]
fn keys_mean_what_they_mean_to_the_other_tokenizer() {
    let id = |numbers: &mut Noise| match numbers.below(6) {
        0 => Value::I32(-1),
        1 => Value::U64(5000),
        2 => Value::I64(2),
        3 => Value::U8(1),
        _ => Value::U32(numbers.below(1024) as u32),
    };
    let mut numbers = Noise::new(4);
    let (mut refused, mut leading, mut trailing) = (0, 0, 0);
    for round in 0..300 {
        let pre = PRES[round % PRES.len()];
        let mut vocabulary = Vocabulary { pre, keys: vec![], ..Vocabulary::with_added(pre) };
        for key in ["bos_token_id", "eos_token_id", "eot_token_id", "eom_token_id"] {
            if numbers.below(2) == 0 {
                vocabulary.keys.push((key, id(&mut numbers)));
            }
        }
        for key in ["add_bos_token", "add_eos_token"] {
            match numbers.below(4) {
                0 => vocabulary.keys.push((key, Value::Bool(true))),
                1 => vocabulary.keys.push((key, Value::U8(numbers.below(2) as u8))),
                _ => {}
            }
        }
        if numbers.below(3) == 0 {
            vocabulary.types.clear();
        }
        if numbers.below(3) == 0 {
            vocabulary.list = Some(vec![numbers.below(1024) as u32, 2000]);
        }
        for (at, end) in [(700, "<|im_end|>"), (701, "<|eot_id|>"), (702, "<|assistant_end|>")] {
            if numbers.below(2) == 0 {
                vocabulary.tokens[at] = end.into();
            }
        }
        vocabulary.merges.clear();
        let file = vocabulary.file();
        let gguf = Gguf::parse(&file).unwrap();
        let mut memory = vec![0; Bpe::memory_len(&gguf).unwrap()];
        let (ours, other) = match (Bpe::new(&gguf, &mut memory), Tokenizer::from_gguf(&gguf)) {
            (Ok(ours), Ok(other)) => (ours, other),
            (Err(_), Err(_)) => {
                refused += 1;
                continue;
            }
            (ours, other) => panic!("{:?} {:?}", ours.err(), other.err()),
        };
        let both = Both { ours, in_place: Bpe::in_place(&gguf).unwrap(), other };
        for id in 0..1100 {
            assert_eq!(both.in_place.is_end(id), both.other.is_end(id), "{id}");
            assert_eq!(both.in_place.is_control(id), both.ours.is_control(id), "{id}");
            assert_eq!(both.ours.is_end(id), both.other.is_end(id), "{id} {:?}", vocabulary.keys);
        }
        let bare = both.ids("a b", Special::Parse);
        let ids = both.prompt("a b");
        leading += usize::from(ids[0] != bare[0]);
        trailing += usize::from(ids.last() != bare.last());
        for text in ["", "<s>a", "<s>", "a</s>", "</s>", "<s></s>", "x<|im_end|>"] {
            both.prompt(text);
        }
    }
    assert!(refused > 5 && leading > 20 && trailing > 20, "{refused} {leading} {trailing}");
}

/// Integers of any width, as writers of files differ.
#[test]
fn types_are_read_whatever_their_width() {
    let vocabulary = Vocabulary::bundled();
    let types: Vec<u32> = vocabulary.types.iter().map(|&t| t as u32).collect();
    let mut writer = GgufWriter::new();
    writer.pair("tokenizer.ggml.model", Value::Str("gpt2")).unwrap();
    writer.strings("tokenizer.ggml.tokens", &vocabulary.tokens).unwrap();
    writer.u32s("tokenizer.ggml.token_type", &types).unwrap();
    let file = writer.begin(Vec::new()).unwrap().finish().unwrap();
    let gguf = Gguf::parse(&file).unwrap();
    let mut memory = vec![0; Bpe::memory_len(&gguf).unwrap()];
    let bpe = Bpe::new(&gguf, &mut memory).unwrap();
    assert!(bpe.is_control(1) && !bpe.is_control(300));
    let bpe = Bpe::in_place(&gguf).unwrap();
    assert!(bpe.is_control(1) && !bpe.is_control(300));
}
