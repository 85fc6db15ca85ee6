//! Malformed files: each is refused with its own error, at the field that is wrong.

use std::collections::HashSet;
use std::mem::discriminant;

use xielu::checkpoint::gguf::{Gguf, GgufErrorKind::*, *};

use crate::raw::{self, BOOL, PAIRS, Raw, STR, U8, U32, U64, array, header, pair, string, tensor};

type Case = (&'static str, Vec<u8>, GgufErrorKind, u64);

const F32: u32 = 0;
const Q8_0: u32 = 8;
const Q4_K: u32 = 12;
const UNKNOWN: u32 = 77;

fn headers() -> Vec<Case> {
    let with = |at: usize, bytes: &[u8]| {
        let mut file = header(3, 0, 0);
        file[at..][..bytes.len()].copy_from_slice(bytes);
        file
    };
    vec![
        ("nothing", vec![], Truncated, 0),
        ("three bytes", b"GGU".to_vec(), Truncated, 0),
        ("another magic", with(0, b"GGML"), BadMagic, 0),
        ("a swapped magic", with(0, b"FUGG"), BigEndian, 0),
        ("a swapped version 3", with(4, &[0, 0, 0, 3]), BigEndian, 4),
        ("a swapped version 2", with(4, &[0, 0, 0, 2]), BigEndian, 4),
        ("version 0", header(0, 0, 0), UnsupportedVersion(0), 4),
        ("version 1", header(1, 0, 0), UnsupportedVersion(1), 4),
        ("version 4", header(4, 0, 0), UnsupportedVersion(4), 4),
        ("all tensors there are", header(3, u64::MAX, 0), TooManyTensors(u64::MAX), 8),
        ("a tensor too many", header(3, 16385, 0), TooManyTensors(16385), 8),
        ("all pairs there are", header(3, 0, u64::MAX), TooManyPairs(u64::MAX), 16),
        ("a pair too many", header(3, 0, 16385), TooManyPairs(16385), 16),
        ("pairs that are not there", header(3, 0, 1024), Truncated, PAIRS),
        ("tensors that are not there", header(3, 16384, 0), Truncated, PAIRS),
    ]
}

/// `k` is the offset of the only pair's value type, its key being one letter.
fn pairs() -> Vec<Case> {
    let k = PAIRS + 9;
    let one = |pair: Vec<u8>| Raw::with_pairs([pair]).file();
    let length = |n: u64| [&header(3, 0, 1), &n.to_le_bytes()[..], &[b'k'; 64]].concat();
    let text = |n: u64| one(pair("k", STR, [&n.to_le_bytes()[..], b"abc"].concat()));
    vec![
        ("a key beyond 64 bits", length(u64::MAX), Overflow, PAIRS),
        ("a key beyond the file", length(1 << 40), Truncated, PAIRS),
        ("a key without letters", one(pair("", U8, [0])), KeyLength(0), PAIRS),
        ("a long key", one(pair([b'k'; 1025], U8, [0])), KeyLength(1025), PAIRS),
        ("a key in Latin-1", one(pair(b"\xe9", U8, [0])), BadUtf8, PAIRS),
        ("type 13", one(pair("k", 13, [0; 8])), UnknownValueType(13), k),
        ("type 2^32 - 1", one(pair("k", u32::MAX, [0; 8])), UnknownValueType(u32::MAX), k),
        ("half a u64", one(pair("k", U64, [0; 4])), Truncated, k + 4),
        ("a u8 read as a u32", one(pair("k", U32, [0])), Truncated, k + 4),
        ("a string beyond 64 bits", text(u64::MAX), Overflow, k + 4),
        ("a string beyond the file", text(4), Truncated, k + 4),
        ("a bool of 2", one(pair("k", BOOL, [2])), BadBool(2), k + 4),
        ("a bool of 255", one(pair("k", BOOL, [255])), BadBool(255), k + 4),
        ("an array of arrays", one(array("k", raw::ARRAY, 1, [0; 32])), NestedArray, k + 4),
        ("an array of type 13", one(array("k", 13, 1, [0; 8])), UnknownValueType(13), k + 4),
        ("2^61 u64", one(array("k", U64, 1 << 61, [0; 8])), Overflow, k + 8),
        ("2^64 - 1 u8", one(array("k", U8, u64::MAX, [0; 8])), Overflow, k + 8),
        ("2^40 u8", one(array("k", U8, 1 << 40, [0; 8])), Truncated, k + 8),
        ("an element too many", one(array("k", U32, 3, [0; 8])), Truncated, k + 8),
        ("2^64 - 1 strings", one(array("k", STR, u64::MAX, [0; 24])), Truncated, k + 16 + 24),
        ("u32 read as strings", one(array("k", STR, 1, [1; 12])), Truncated, k + 16),
        ("bools of 7", one(array("k", BOOL, 3, [0, 1, 7])), BadBool(7), k + 16 + 2),
    ]
}

fn repeated_keys() -> Vec<Case> {
    let keys = |repeated: [usize; 2]| {
        let key = |i| if i == repeated[1] { repeated[0] } else { i };
        Raw::with_pairs((0..1024).map(|i| pair(format!("key {:4}", key(i)), U8, [0])))
    };
    let at = |index: u64| PAIRS + index * 21;
    let same = Raw::with_pairs([pair("k", U8, [0]), pair("k", STR, string("other"))]);
    vec![
        ("two equal keys", same.file(), DuplicateKey, PAIRS + 14),
        ("equal keys side by side", keys([63, 64]).file(), DuplicateKey, at(64)),
        ("equal keys far apart", keys([0, 1023]).file(), DuplicateKey, at(1023)),
        ("equal keys at the end", keys([1022, 1023]).file(), DuplicateKey, at(1023)),
    ]
}

fn alignments() -> Vec<Case> {
    let key = "general.alignment";
    let at = PAIRS + 8 + key.len() as u64;
    let align = |n: u32| Raw::with_pairs([pair(key, U32, n.to_le_bytes())]).file();
    let mut largest = Raw::with_pairs([pair(key, U32, (1u32 << 21).to_le_bytes())]);
    largest.tensors.push(tensor("t", &[1], F32, 0));
    let typed = |value_type, value: &[u8]| Raw::with_pairs([pair(key, value_type, value)]).file();
    let u64_one = u64::from(u32::MAX) + 33;
    vec![
        ("alignment 0", align(0), AlignmentNotPowerOfTwo(0), at),
        ("alignment 24", align(24), AlignmentNotPowerOfTwo(24), at),
        ("alignment 2^22", align(1 << 22), AlignmentTooLarge(1 << 22), at),
        ("alignment 2^31", align(1 << 31), AlignmentTooLarge(1 << 31), at),
        ("alignment as text", typed(STR, &string("32")), AlignmentType, at),
        ("alignment of 33 bits", typed(U64, &u64_one.to_le_bytes()), AlignmentType, at),
        ("data beyond the file", largest.file(), TensorBeyondFile, largest.offset_at(0)),
    ]
}

fn descriptions() -> Vec<Case> {
    // Offsets of the fields of a tensor called by one letter.
    let (dim_count, dims) = (PAIRS + 9, PAIRS + 13);
    let one = |tensor: Vec<u8>| Raw::with_tensors(1024, [tensor]).file();
    let typed = |dims: &[u64], ggml_type| one(tensor("t", dims, ggml_type, 0));
    let counted = |n: u32| {
        let mut file = typed(&[1], F32);
        file[dim_count as usize..][..4].copy_from_slice(&n.to_le_bytes());
        file
    };
    let big = 1 << 32;
    vec![
        ("a tensor without name", one(tensor("", &[1], F32, 0)), TensorNameLength(0), PAIRS),
        ("a name of 64", one(tensor([b'n'; 64], &[1], F32, 0)), TensorNameLength(64), PAIRS),
        ("a name in Latin-1", one(tensor(b"\xe9", &[1], F32, 0)), BadUtf8, PAIRS),
        ("no dimensions", counted(0), DimensionCount(0), dim_count),
        ("5 dimensions", typed(&[1; 5], F32), DimensionCount(5), dim_count),
        ("2^32 - 1 dimensions", counted(u32::MAX), DimensionCount(u32::MAX), dim_count),
        ("an empty row", typed(&[0], F32), ZeroDimension, dims),
        ("an empty last dimension", typed(&[1, 1, 1, 0], F32), ZeroDimension, dims + 24),
        ("2^64 elements", typed(&[big, big], F32), Overflow, dims + 16),
        ("elements that wrap to 0", typed(&[big, 1, big, 2], UNKNOWN), Overflow, dims + 32),
        ("2^64 bytes", typed(&[1 << 62], F32), Overflow, dims + 8),
        ("part of a Q8_0 block", typed(&[33], Q8_0), PartialBlock, dims + 8),
        ("part of a Q4_K block", typed(&[128, 2], Q4_K), PartialBlock, dims + 16),
    ]
}

fn placements() -> Vec<Case> {
    let at = |data, tensors: &[Vec<u8>], wrong: usize, kind| {
        let raw = Raw::with_tensors(data, tensors.iter().cloned());
        (raw.file(), kind, raw.offset_at(wrong))
    };
    let t = |name: &str, n: u64, offset| tensor(name, &[n], F32, offset);
    let last = u64::MAX - 31;
    let cases = [
        ("offset 16", at(64, &[t("a", 1, 16)], 0, TensorAlignment)),
        ("an end beyond 64 bits", at(64, &[t("a", 64, last)], 0, Overflow)),
        ("a start beyond the file", at(64, &[t("a", 1, 1 << 40)], 0, TensorBeyondFile)),
        ("a byte beyond the file", at(63, &[t("a", 16, 0)], 0, TensorBeyondFile)),
        ("no data at all", at(0, &[t("a", 1, 0)], 0, TensorBeyondFile)),
        (
            "unknown type beyond the file",
            at(64, &[tensor("a", &[1], UNKNOWN, 64)], 0, TensorBeyondFile),
        ),
        ("the same place", at(64, &[t("a", 1, 0), t("b", 1, 0)], 1, TensorOverlap)),
        ("one inside another", at(256, &[t("a", 64, 0), t("b", 1, 64)], 1, TensorOverlap)),
        ("one around another", at(256, &[t("a", 1, 32), t("b", 64, 0)], 1, TensorOverlap)),
        ("a tail on a head", at(256, &[t("a", 9, 0), t("b", 9, 32)], 1, TensorOverlap)),
        (
            "unknown types at one place",
            at(
                64,
                &[tensor("a", &[1], UNKNOWN, 0), tensor("b", &[1], UNKNOWN, 0)],
                1,
                TensorOverlap,
            ),
        ),
        ("in another order", at(64, &[t("a", 1, 32), t("b", 1, 0)], 1, TensorOrder)),
    ];
    cases.into_iter().map(|(name, (file, kind, offset))| (name, file, kind, offset)).collect()
}

fn repeated_tensors() -> Vec<Case> {
    let tensors = |repeated: [usize; 2]| {
        let name = |i| format!("t{:5}", if i == repeated[1] { repeated[0] } else { i });
        let all = (0..200).map(|i| tensor(name(i), &[1], F32, 32 * i as u64));
        Raw::with_tensors(200 * 32, all)
    };
    [("names side by side", [0, 1]), ("names far apart", [1, 199]), ("names in step", [63, 127])]
        .map(|(name, repeated)| {
            let raw = tensors(repeated);
            (name, raw.file(), DuplicateTensor, raw.tensor_at(repeated[1]))
        })
        .to_vec()
}

#[test]
fn every_malformed_file_has_its_own_error() {
    let tables = [
        headers(),
        pairs(),
        repeated_keys(),
        alignments(),
        descriptions(),
        placements(),
        repeated_tensors(),
    ];
    let mut kinds = HashSet::new();
    for (name, file, kind, offset) in tables.into_iter().flatten() {
        let error = Gguf::parse(&file).expect_err(name);
        assert_eq!((error.kind, error.offset), (kind, offset), "{name}");
        let message = error.to_string();
        assert!(message.ends_with(&format!("(at byte {offset})")), "{message}");
        assert!(!message.contains('\n'));
        kinds.insert(discriminant(&kind));
    }
    assert_eq!(kinds.len(), 25, "every kind of error occurs");
}

#[test]
fn the_edges_of_what_is_allowed_are_accepted() {
    let longest_key = pair([b'k'; 1024], U8, [0]);
    let keys = (0..16383).map(|i| pair(format!("{i}"), BOOL, [1]));
    assert_eq!(
        Gguf::parse(&Raw::with_pairs(keys.chain([longest_key])).file()).unwrap().metadata().len(),
        16384
    );
    let names = Raw::with_tensors(4, [tensor([b'n'; 63], &[1; 4], F32, 0)]);
    assert_eq!(Gguf::parse(&names.file()).unwrap().tensors().len(), 1);
    let gap = Raw::with_tensors(100, [tensor("a", &[1], F32, 0), tensor("b", &[1], F32, 96)]);
    assert_eq!(Gguf::parse(&gap.file()).unwrap().tensors().len(), 2);
    let mut second = header(2, 0, 0);
    assert_eq!(Gguf::parse(&second).unwrap().version(), 2);
    second.push(0);
    assert_eq!(Gguf::parse(&second).unwrap().tensors().len(), 0);
    let mut page = Raw::with_tensors(4, [tensor("t", &[1], F32, 0)]);
    page.pairs.push(pair("general.alignment", U32, (1u32 << 21).to_le_bytes()));
    let page = page.aligned(1 << 21);
    let gguf = Gguf::parse(&page).unwrap();
    let data = gguf.tensor_data(&gguf.tensor_info("t").unwrap()).unwrap();
    assert!(std::ptr::eq(data, &page[1 << 21..]));
}

/// What nothing needs may be wrong: it is there, but is no text.
#[test]
fn strings_that_are_not_utf_8_are_no_text() {
    let strings = [&string("fine")[..], &string(b"\xc3\x28")].concat();
    let pairs = [
        pair("latin-1", STR, string(b"caf\xe9")),
        pair("surrogate", STR, string(b"\xed\xa0\x80")),
        array("array", STR, 2, strings),
        pair("general.alignment", U64, 64u64.to_le_bytes()),
    ];
    let file = Raw::with_pairs(pairs).file();
    let gguf = Gguf::parse(&file).unwrap();
    assert_eq!(gguf.get("latin-1"), Some(Value::BadStr(b"caf\xe9")));
    assert_eq!(gguf.get_str("surrogate"), None);
    let message = |error: xielu::Error| error.to_string();
    assert_eq!(message(gguf.read_str("latin-1").unwrap_err()), "key `latin-1` is not UTF-8");
    let array = gguf.get_array("array").unwrap();
    assert!(array.strs().is_none());
    assert_eq!(array.get(0), Some(Value::Str("fine")));
    assert_eq!(
        message(gguf.read_strs("array").err().unwrap()),
        "key `array` holds a string that is not UTF-8"
    );
    assert_eq!(gguf.alignment(), 64);
}

#[test]
fn as_many_tensors_as_allowed_are_compared_in_good_time() {
    let all = (0..16384).map(|i| tensor(format!("{i:063}"), &[1], F32, 32 * i));
    let file = Raw::with_tensors(16384 * 32, all).file();
    assert_eq!(Gguf::parse(&file).unwrap().tensors().len(), 16384);
}

/// Types this library does not compute with can be listed, and measured if they are known.
#[test]
fn foreign_types_are_listed() {
    let raw = Raw::with_tensors(
        320,
        [tensor("k", &[256, 2], Q4_K, 0), tensor("unknown", &[7], UNKNOWN, 288)],
    );
    let file = raw.file();
    let gguf = Gguf::parse(&file).unwrap();
    let [k, unknown] = [0, 1].map(|i| gguf.tensors().nth(i).unwrap());
    assert_eq!((k.ggml_type.name(), k.byte_len()), (Some("Q4_K"), Some(288)));
    assert_eq!(gguf.tensor_data(&k).unwrap().len(), 288);
    assert_eq!((unknown.ggml_type.name(), unknown.byte_len()), (None, None));
    assert_eq!(gguf.tensor_data(&unknown), None);
    let short = Raw { data: 287, ..raw }.file();
    assert_eq!(Gguf::parse(&short).unwrap_err().kind, TensorBeyondFile);
}

/// Cut anywhere, a file is refused: within the header as truncated, within the data because a
/// tensor is incomplete.
fn every_cut_is_refused(file: &[u8]) {
    let data_start = 29920;
    let mut kinds = (0..data_start).map(|cut| {
        let error = Gguf::parse(&file[..cut]).unwrap_err();
        assert!(error.offset <= cut as u64);
        error.kind
    });
    let header = kinds.by_ref().take_while(|&kind| kind == Truncated).count();
    assert!(data_start - header <= 32, "padding only");
    assert!(kinds.all(|kind| kind == TensorBeyondFile));
    let gguf = Gguf::parse(file).unwrap();
    let last = gguf.tensors().last().unwrap();
    let end = data_start + (last.offset + last.byte_len().unwrap()) as usize;
    for cut in (data_start..end).step_by(99_991).chain([end - 1]) {
        assert_eq!(Gguf::parse(&file[..cut]).unwrap_err().kind, TensorBeyondFile);
    }
    Gguf::parse(&file[..end]).unwrap();
}

#[test]
fn every_cut_of_the_q8_0_file_is_refused() {
    every_cut_is_refused(include_bytes!("../data/tiny-Q8_0.gguf"));
}

#[test]
fn every_cut_of_the_bf16_file_is_refused() {
    every_cut_is_refused(include_bytes!("../data/tiny-bf16.gguf"));
}

#[test]
fn every_cut_of_the_q4_0_file_is_refused() {
    every_cut_is_refused(include_bytes!("../data/tiny-Q4_0.gguf"));
}
