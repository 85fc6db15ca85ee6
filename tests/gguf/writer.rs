//! Files written, against the bytes llama.cpp wrote and against the reader.

use std::io::{self, ErrorKind, Write};

use xielu::checkpoint::gguf::{GgmlType, Gguf, GgufWriter, Value};

const FIXTURES: [&[u8]; 3] = [
    include_bytes!("../data/tiny-Q8_0.gguf"),
    include_bytes!("../data/tiny-bf16.gguf"),
    include_bytes!("../data/tiny-Q4_0.gguf"),
];

/// Everything the reader finds, written again; data in pieces of `chunk` bytes.
fn rewrite<W: Write>(file: &[u8], out: W, chunk: usize) -> io::Result<W> {
    let gguf = Gguf::parse(file).unwrap();
    let mut writer = GgufWriter::new();
    for (key, value) in gguf.metadata() {
        writer.pair(key, value)?;
    }
    for info in gguf.tensors() {
        writer.tensor(info.name, info.dims(), info.ggml_type)?;
    }
    let mut data = writer.begin(out)?;
    for info in gguf.tensors() {
        gguf.tensor_data(&info).unwrap().chunks(chunk).try_for_each(|piece| data.write(piece))?;
    }
    data.finish()
}

#[test]
fn rewritten_fixtures_are_byte_identical() {
    for file in FIXTURES {
        assert!(rewrite(file, Vec::new(), usize::MAX).unwrap() == file);
        assert!(rewrite(file, Vec::new(), 4093).unwrap() == file);
    }
}

#[test]
fn every_value_type_and_alignment_survives() {
    let seed = include_bytes!("../../fuzz/corpus/gguf/seed-bf16-all-types");
    let written = rewrite(seed, Vec::new(), 7).unwrap();
    let (before, after) = (Gguf::parse(seed).unwrap(), Gguf::parse(&written).unwrap());
    assert_eq!(after.alignment(), 64);
    assert!(before.metadata().eq(after.metadata()));
    assert!(before.tensors().eq(after.tensors()));
    let data = |gguf: &Gguf<'_>| {
        gguf.tensors().flat_map(|t| gguf.tensor_data(&t).unwrap().to_vec()).collect::<Vec<u8>>()
    };
    assert_eq!(data(&before), data(&after));
}

#[test]
fn arrays_read_back() {
    let mut writer = GgufWriter::new();
    writer.strings("s", ["", "é", "three"]).unwrap();
    writer.f32s("f", &[0.5, -0.0, f32::MAX]).unwrap();
    writer.u32s("u", &[0, u32::MAX]).unwrap();
    writer.i32s("i", &[i32::MIN, -1]).unwrap();
    writer.f32s("none", &[]).unwrap();
    writer.pair("b", Value::Bool(true)).unwrap();
    let file = writer.begin(Vec::new()).unwrap().finish().unwrap();
    let gguf = Gguf::parse(&file).unwrap();
    let array = |key| gguf.get_array(key).unwrap();
    assert_eq!(array("s").strs().unwrap().collect::<Vec<_>>(), ["", "é", "three"]);
    assert_eq!(array("f").f32s().unwrap().collect::<Vec<_>>(), [0.5, -0.0, f32::MAX]);
    assert_eq!(array("u").u32s().unwrap().collect::<Vec<_>>(), [0, u32::MAX]);
    assert_eq!(array("i").i32s().unwrap().collect::<Vec<_>>(), [i32::MIN, -1]);
    assert!(array("none").is_empty() && !array("i").is_empty());
    assert_eq!(gguf.get_bool("b"), Some(true));
    assert_eq!(gguf.tensors().len(), 0);
}

#[test]
fn quantized_files_carry_the_quantization_version() {
    let version = |ggml_type: u32, dims: &[u64], size: usize| {
        let mut writer = GgufWriter::new();
        writer.tensor("t", dims, GgmlType(ggml_type)).unwrap();
        let mut data = writer.begin(Vec::new()).unwrap();
        data.write(&vec![7; size]).unwrap();
        let file = data.finish().unwrap();
        let gguf = Gguf::parse(&file).unwrap();
        assert!(file.len().is_multiple_of(32));
        assert_eq!(gguf.tensor_data(&gguf.tensor_info("t").unwrap()).unwrap(), vec![7; size]);
        gguf.get_u32("general.quantization_version")
    };
    assert_eq!(version(8, &[64, 3], 3 * 68), Some(2));
    assert_eq!(version(12, &[256], 144), Some(2));
    assert_eq!(version(0, &[5], 20), None);
}

#[test]
fn what_the_reader_refuses_is_not_written() {
    let refused = |result: io::Result<()>, why: &str| {
        let error = result.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.to_string().contains(why), "{error}");
    };
    let mut writer = GgufWriter::new();
    writer.pair("key", Value::U8(0)).unwrap();
    refused(writer.pair("key", Value::U8(0)), "occurs twice");
    refused(writer.pair("", Value::U8(0)), "0 bytes long");
    refused(writer.pair("general.alignment", Value::U32(24)), "not a power of two");
    refused(writer.pair("general.alignment", Value::U64(32)), "not a u32");
    writer.tensor("t", &[32], GgmlType(0)).unwrap();
    refused(writer.tensor("t", &[32], GgmlType(0)), "occurs twice");
    refused(writer.tensor(&"n".repeat(64), &[32], GgmlType(0)), "64 bytes long");
    refused(writer.tensor("u", &[], GgmlType(0)), "0 dimensions");
    refused(writer.tensor("u", &[1; 5], GgmlType(0)), "5 dimensions");
    refused(writer.tensor("u", &[0], GgmlType(0)), "dimension of 0");
    refused(writer.tensor("u", &[33], GgmlType(8)), "whole number of blocks");
    refused(writer.tensor("u", &[1 << 40, 1 << 40], GgmlType(0)), "overflows");
    refused(writer.tensor("u", &[32], GgmlType(99)), "number 99 is unknown");
    let mut data = writer.clone().begin(Vec::new()).unwrap();
    refused(data.write(&[0; 129]), "more data");
    data.write(&[0; 127]).unwrap();
    refused(data.finish().map(|_| ()), "less data");
    let mut data = writer.begin(Vec::new()).unwrap();
    data.write(&[0; 128]).unwrap();
    refused(data.write(&[0]), "more data");
    data.finish().unwrap();
}

/// Accepts `room` bytes, then reports a full disk.
struct FullAfter {
    room: usize,
}

impl Write for FullAfter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(self.room);
        self.room -= taken;
        if taken == 0 { Err(ErrorKind::StorageFull.into()) } else { Ok(taken) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_full_disk_is_one_error_wherever_it_strikes() {
    let file = FIXTURES[2];
    let mut rooms: Vec<usize> = (0..file.len()).step_by(9973).collect();
    rooms.push(file.len() - 1);
    for room in rooms {
        let error = rewrite(file, FullAfter { room }, usize::MAX).map(|_| ()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::StorageFull);
    }
    rewrite(file, FullAfter { room: file.len() }, usize::MAX).map(|_| ()).unwrap();
}
