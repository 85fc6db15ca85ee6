//! What the memory of a model follows from, read from the bytes of its file by a `const fn`: when a
//! program that includes the file is compiled.
//!
//! Only these numbers: [`Gguf::parse`](super::Gguf::parse) and the configuration check everything,
//! these too, when the program runs. Strings are stepped over, so a vocabulary costs the compiler
//! a few steps a token.

use crate::names::{Architecture, ValueType};

/// The numbers, as [`Config`](crate::Config) calls them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sizes {
    pub(crate) num_layers: usize,
    pub(crate) vocab_size: usize,
    pub(crate) output_vocab_size: usize,
    pub(crate) hidden_size: usize,
    pub(crate) intermediate_size: usize,
    pub(crate) num_heads: usize,
    pub(crate) num_kv_heads: usize,
    pub(crate) head_dim: usize,
    pub(crate) context_length: usize,
}

const NOT_GGUF: &str = "the model is not a GGUF file (version 2 or 3), or ends too early";
const OTHER_ARCHITECTURE: &str = "the model's architecture is none that this library runs";
const NO_SHAPE: &str = "the model's file lacks a number of its shape, or it is no integer";

/// The bytes of a file yet to be read.
type Rest<'a> = &'a [u8];

/// `let` for what may be missing, where `?` cannot be used.
macro_rules! take {
    ($value:expr) => {
        match $value {
            Some(value) => value,
            None => return None,
        }
    };
}

impl Sizes {
    /// Reads the numbers of `file`.
    ///
    /// # Errors
    /// The sentence says why they are not there.
    pub(crate) const fn read(file: &[u8]) -> Result<Self, &'static str> {
        let Some(header) = Header::read(file) else { return Err(NOT_GGUF) };
        let Some(prefix) = architecture(&header) else { return Err(OTHER_ARCHITECTURE) };
        let Some((stated, tensors)) = Stated::read(&header, prefix) else { return Err(NOT_GGUF) };
        match stated.sizes(tensors, header.tensors) {
            Some(sizes) => Ok(sizes),
            None => Err(NO_SHAPE),
        }
    }
}

/// Bytes before the data of the tensors, without the padding.
#[cfg(feature = "streamed")]
pub(crate) const fn head_len(file: &[u8]) -> Option<usize> {
    let header = take!(Header::read(file));
    let (mut rest, mut left) = (header.rest, header.pairs);
    while left > 0 {
        let (_, after) = take!(string(rest));
        (_, rest) = take!(value(after));
        left -= 1;
    }
    left = header.tensors;
    while left > 0 {
        let (_, after) = take!(string(rest));
        let (dims, after) = take!(u32_of(after));
        // Dimensions, the element type, the offset.
        rest = take!(skipped(after, dims as u64 * 8 + 12));
        left -= 1;
    }
    Some(file.len() - rest.len())
}

/// How much follows the header, and what.
struct Header<'a> {
    tensors: u64,
    pairs: u64,
    rest: Rest<'a>,
}

impl<'a> Header<'a> {
    const fn read(file: Rest<'a>) -> Option<Self> {
        let (magic, rest) = take!(file.split_first_chunk::<4>());
        let (version, rest) = take!(u32_of(rest));
        let (tensors, rest) = take!(u64_of(rest));
        let (pairs, rest) = take!(u64_of(rest));
        if !same(magic, b"GGUF") || version < 2 || version > 3 {
            return None;
        }
        Some(Header { tensors, pairs, rest })
    }
}

/// The name of the architecture, if it is one of ours.
const fn architecture(header: &Header<'_>) -> Option<&'static [u8]> {
    let (mut rest, mut left) = (header.rest, header.pairs);
    while left > 0 {
        let (key, after) = take!(string(rest));
        if same(key, b"general.architecture") {
            let (value_type, after) = take!(u32_of(after));
            if value_type != ValueType::Str.id() {
                return None;
            }
            let (name, _) = take!(string(after));
            return known(name);
        }
        (_, rest) = take!(value(after));
        left -= 1;
    }
    None
}

const fn known(name: &[u8]) -> Option<&'static [u8]> {
    let mut all: &[Architecture] = &Architecture::ALL;
    while let Some((first, rest)) = all.split_first() {
        if same(name, first.name().as_bytes()) {
            return Some(first.name().as_bytes());
        }
        all = rest;
    }
    None
}

/// What the file states; 0 is nothing, as it is where the keys say it.
#[derive(Clone, Copy)]
struct Stated {
    sizes: Sizes,
    key_length: usize,
    rotated: usize,
}

impl Stated {
    /// Reads all pairs; what follows them are the tensors.
    const fn read<'a>(header: &Header<'a>, prefix: &[u8]) -> Option<(Self, Rest<'a>)> {
        let mut stated = Stated { sizes: Sizes::NONE, key_length: 0, rotated: 0 };
        let (mut rest, mut left) = (header.rest, header.pairs);
        while left > 0 {
            let (key, after) = take!(string(rest));
            let (number, after) = take!(value(after));
            stated = stated.with(key, prefix, number);
            rest = after;
            left -= 1;
        }
        Some((stated, rest))
    }

    /// With what one pair says.
    const fn with(mut self, key: &[u8], prefix: &[u8], number: usize) -> Self {
        let sizes = &mut self.sizes;
        let place = match below(key, prefix) {
            Some(b"block_count") => &mut sizes.num_layers,
            Some(b"vocab_size") => &mut sizes.vocab_size,
            Some(b"vocab_size_out") => &mut sizes.output_vocab_size,
            Some(b"embedding_length") => &mut sizes.hidden_size,
            Some(b"feed_forward_length") => &mut sizes.intermediate_size,
            Some(b"attention.head_count") => &mut sizes.num_heads,
            Some(b"attention.head_count_kv") => &mut sizes.num_kv_heads,
            Some(b"context_length") => &mut sizes.context_length,
            Some(b"attention.key_length") => &mut self.key_length,
            Some(b"rope.dimension_count") => &mut self.rotated,
            _ => return self,
        };
        *place = number;
        self
    }

    /// The sizes with those that follow from others, as the configuration has them; `None` if one
    /// is missing.
    const fn sizes(&self, tensors: Rest<'_>, count: u64) -> Option<Sizes> {
        let mut sizes = self.sizes;
        if sizes.num_layers == 0 || sizes.intermediate_size == 0 || sizes.context_length == 0 {
            return None;
        }
        if sizes.vocab_size == 0 {
            sizes.vocab_size = take!(rows_of_embedding(tensors, count));
        }
        if sizes.output_vocab_size == 0 {
            sizes.output_vocab_size = sizes.vocab_size;
        }
        if sizes.num_kv_heads == 0 {
            sizes.num_kv_heads = sizes.num_heads;
        }
        sizes.head_dim = match (self.key_length, self.rotated) {
            (0, 0) => take!(sizes.hidden_size.checked_div(sizes.num_heads)),
            (0, rotated) => rotated,
            (key_length, _) => key_length,
        };
        Some(sizes)
    }
}

impl Sizes {
    const NONE: Sizes = Sizes {
        num_layers: 0,
        vocab_size: 0,
        output_vocab_size: 0,
        hidden_size: 0,
        intermediate_size: 0,
        num_heads: 0,
        num_kv_heads: 0,
        head_dim: 0,
        context_length: 0,
    };
}

/// The second dimension of `token_embd.weight`.
const fn rows_of_embedding(mut rest: Rest<'_>, count: u64) -> Option<usize> {
    let mut left = count;
    while left > 0 {
        let (name, after) = take!(string(rest));
        let (dims, mut after) = take!(u32_of(after));
        let (mut rows, mut dim) = (0, 0);
        while dim < dims {
            let (size, next) = take!(u64_of(after));
            if dim == 1 {
                rows = size;
            }
            after = next;
            dim += 1;
        }
        if same(name, b"token_embd.weight") {
            return size(rows);
        }
        // The element type and the offset.
        rest = take!(skipped(after, 12));
        left -= 1;
    }
    None
}

/// A value and what follows it: an integer, the first of an array of integers, or how many strings
/// an array has; 0 for everything else.
const fn value(rest: Rest<'_>) -> Option<(usize, Rest<'_>)> {
    let (value_type, rest) = take!(type_of(rest));
    match value_type {
        ValueType::Str => {
            let (_, rest) = take!(string(rest));
            Some((0, rest))
        }
        ValueType::Array => {
            let (elements, rest) = take!(type_of(rest));
            let (count, rest) = take!(u64_of(rest));
            array(elements, count, rest)
        }
        scalar => number(scalar, rest),
    }
}

const fn array(elements: ValueType, count: u64, rest: Rest<'_>) -> Option<(usize, Rest<'_>)> {
    let Some(width) = elements.size() else {
        let (mut rest, mut left) = (rest, count);
        while left > 0 {
            (_, rest) = take!(string(rest));
            left -= 1;
        }
        return Some((take!(size(count)), rest));
    };
    let first = match number(elements, rest) {
        Some((first, _)) if count > 0 => first,
        _ => 0,
    };
    Some((first, take!(skipped(rest, take!(count.checked_mul(width))))))
}

/// A number, if it is an integer and not negative; 0 otherwise.
const fn number(value_type: ValueType, rest: Rest<'_>) -> Option<(usize, Rest<'_>)> {
    let width = take!(value_type.size());
    let (mut field, rest) = take!(rest.split_at_checked(width as usize));
    let mut bits = 0;
    while let Some((&last, before)) = field.split_last() {
        bits = bits << 8 | last as u64;
        field = before;
    }
    let negative = bits >> (8 * width - 1) != 0;
    let counts = match value_type {
        ValueType::U8 | ValueType::U16 | ValueType::U32 | ValueType::U64 => true,
        ValueType::I8 | ValueType::I16 | ValueType::I32 | ValueType::I64 => !negative,
        _ => false,
    };
    Some((if counts { take!(size(bits)) } else { 0 }, rest))
}

const fn type_of(rest: Rest<'_>) -> Option<(ValueType, Rest<'_>)> {
    let (id, rest) = take!(u32_of(rest));
    let mut all: &[ValueType] = &ValueType::ALL;
    while let Some((&first, others)) = all.split_first() {
        if first.id() == id {
            return Some((first, rest));
        }
        all = others;
    }
    None
}

const fn string(rest: Rest<'_>) -> Option<(&[u8], Rest<'_>)> {
    let (length, rest) = take!(u64_of(rest));
    rest.split_at_checked(take!(size(length)))
}

const fn skipped(rest: Rest<'_>, count: u64) -> Option<Rest<'_>> {
    let (_, rest) = take!(rest.split_at_checked(take!(size(count))));
    Some(rest)
}

const fn u32_of(rest: Rest<'_>) -> Option<(u32, Rest<'_>)> {
    let (bytes, rest) = take!(rest.split_first_chunk::<4>());
    Some((u32::from_le_bytes(*bytes), rest))
}

const fn u64_of(rest: Rest<'_>) -> Option<(u64, Rest<'_>)> {
    let (bytes, rest) = take!(rest.split_first_chunk::<8>());
    Some((u64::from_le_bytes(*bytes), rest))
}

/// As a size of this target, if it fits.
const fn size(number: u64) -> Option<usize> {
    if number > usize::MAX as u64 { None } else { Some(number as usize) }
}

const fn same(mut a: &[u8], mut b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    while let (Some((x, after_x)), Some((y, after_y))) = (a.split_first(), b.split_first()) {
        if *x != *y {
            return false;
        }
        (a, b) = (after_x, after_y);
    }
    true
}

/// What of `key` follows `prefix` and a point.
const fn below<'k>(key: &'k [u8], prefix: &[u8]) -> Option<&'k [u8]> {
    let (first, rest) = take!(key.split_at_checked(prefix.len()));
    match rest.split_first() {
        Some((b'.', name)) if same(first, prefix) => Some(name),
        _ => None,
    }
}

#[cfg(all(test, feature = "std"))]
mod tests {
    use std::format;
    use std::vec::Vec;

    use super::*;
    use crate::checkpoint::Checkpoint as _;
    use crate::checkpoint::gguf::{GgmlType, Gguf, GgufWriter, Value};

    const BUNDLED: &[u8] = include_bytes!("../../../models/tiny-Q8_0.gguf");
    /// By the compiler.
    const SIZES: Sizes = match Sizes::read(BUNDLED) {
        Ok(sizes) => sizes,
        Err(reason) => panic!("{}", reason),
    };

    /// Those that the configuration and the tokenizer's keys have.
    fn at_run_time(file: &[u8]) -> Sizes {
        let gguf = Gguf::parse(file).unwrap();
        let config = gguf.config().unwrap();
        Sizes {
            num_layers: config.num_layers,
            vocab_size: config.vocab_size,
            output_vocab_size: config.output_vocab_size,
            hidden_size: config.hidden_size,
            intermediate_size: config.intermediate_size,
            num_heads: config.num_heads,
            num_kv_heads: config.num_kv_heads,
            head_dim: config.head_dim,
            context_length: config.context_length,
        }
    }

    #[cfg(feature = "streamed")]
    #[test]
    fn a_head_ends_where_the_tensors_begin() {
        let len = head_len(BUNDLED).unwrap();
        let start =
            super::super::GgufHead::parse(BUNDLED, BUNDLED.len() as u64).unwrap().data_start();
        assert_eq!(len.next_multiple_of(32) as u64, start);
        assert_eq!(head_len(&BUNDLED[..len]), Some(len));
        assert_eq!(head_len(&BUNDLED[..len - 1]), None);
    }

    #[test]
    fn the_compiler_reads_what_the_program_does() {
        assert_eq!(SIZES, at_run_time(BUNDLED));
    }

    /// A file of two layers: its required numbers as `wide` writes them, and more pairs.
    fn file(
        architecture: &str,
        wide: fn(u32) -> Value<'static>,
        more: &[(&str, Value<'_>)],
    ) -> Vec<u8> {
        let mut file = GgufWriter::new();
        for (key, value) in more {
            file.pair(key, *value).unwrap();
        }
        file.strings("tokenizer.ggml.tokens", ["a", "", "ccc"]).unwrap();
        file.pair("general.architecture", Value::Str(architecture)).unwrap();
        for (name, value) in [
            ("block_count", 2),
            ("context_length", 8),
            ("embedding_length", 12),
            ("feed_forward_length", 5),
            ("attention.head_count", 3),
        ] {
            file.pair(&format!("{architecture}.{name}"), wide(value)).unwrap();
        }
        file.pair(&format!("{architecture}.attention.layer_norm_rms_epsilon"), Value::F32(1e-5))
            .unwrap();
        file.tensor("output_norm.weight", &[12], GgmlType(0)).unwrap();
        file.tensor("token_embd.weight", &[12, 7], GgmlType(0)).unwrap();
        file.tensor("output.weight", &[12, 6], GgmlType(0)).unwrap();
        let mut data = file.begin(Vec::new()).unwrap();
        for values in [12, 12 * 7, 12 * 6] {
            data.write(&std::vec![0; 4 * values]).unwrap();
        }
        data.finish().unwrap()
    }

    #[test]
    fn every_spelling_of_a_shape_is_read_alike() {
        let wides: [fn(u32) -> Value<'static>; 4] = [
            Value::U32,
            |value| Value::U64(value.into()),
            |value| Value::I16(value as i16),
            |value| Value::U8(value as u8),
        ];
        for wide in wides {
            let plain = file("llama", wide, &[]);
            let sizes = Sizes::read(&plain).unwrap();
            assert_eq!(sizes, at_run_time(&plain));
            assert_eq!((sizes.vocab_size, sizes.head_dim, sizes.num_kv_heads), (7, 4, 3));
            let more = file(
                "apertus",
                wide,
                &[
                    ("apertus.vocab_size", Value::U32(9)),
                    ("apertus.vocab_size_out", Value::U32(6)),
                    ("apertus.attention.head_count_kv", wide(1)),
                    ("apertus.attention.key_length", wide(6)),
                    ("apertus.attention.value_length", wide(6)),
                    ("some.number", Value::F64(-1.0)),
                    ("some.flag", Value::Bool(true)),
                    ("some.text", Value::Str("apertus.vocab_size")),
                ],
            );
            let sizes = Sizes::read(&more).unwrap();
            assert_eq!(sizes, at_run_time(&more));
            assert_eq!((sizes.output_vocab_size, sizes.head_dim, sizes.num_kv_heads), (6, 6, 1));
        }
    }

    #[test]
    fn what_is_no_model_says_why() {
        let good = file("llama", Value::U32, &[]);
        assert_eq!(Sizes::read(b"GGUF"), Err(NOT_GGUF));
        assert_eq!(Sizes::read(&[&b"GGML"[..], &good[4..]].concat()), Err(NOT_GGUF));
        assert_eq!(Sizes::read(&file("gpt2", Value::U32, &[])), Err(OTHER_ARCHITECTURE));
        assert_eq!(
            Sizes::read(&file("llama", |value| Value::F32(value as f32), &[])),
            Err(NO_SHAPE)
        );
        // Cut anywhere before the tensors' data: an error, and not the sizes of another model.
        let whole = Sizes::read(&good);
        for end in 0..good.len() {
            let cut = Sizes::read(&good[..end]);
            assert!(cut.is_err() || cut == whole, "{end}");
        }
    }
}
