//! Models in several files: any part opens all of them, and what is no model says why.

use std::fs;
use std::path::{Path, PathBuf};

use xielu::checkpoint::gguf::{Gguf, GgufWriter, SplitGguf, Value};
use xielu::checkpoint::{self, Access, Checkpoint, Role};

const WHOLE: &[u8] = include_bytes!("../data/tiny-Q8_0.gguf");

/// What `gguf-split` writes, and what to change of it.
struct Split {
    /// The first tensor of each part, and the end.
    starts: Vec<usize>,
    /// Pairs more, or others, of each part.
    pairs: Vec<Vec<(&'static str, Value<'static>)>>,
}

impl Split {
    fn at(starts: &[usize]) -> Split {
        let count = starts.len() as u16;
        let of_part = |number| {
            vec![
                ("split.no", Value::U16(number)),
                ("split.count", Value::U16(count)),
                ("split.tensors.count", Value::I32(44)),
            ]
        };
        Split { starts: [starts, &[44]].concat(), pairs: (0..count).map(of_part).collect() }
    }

    /// With another value for a key of a part; `None` leaves it out.
    fn with(mut self, part: usize, key: &'static str, value: Option<Value<'static>>) -> Split {
        self.pairs[part].retain(|(known, _)| *known != key);
        self.pairs[part].extend(value.map(|value| (key, value)));
        self
    }

    fn files(&self) -> Vec<Vec<u8>> {
        let whole = Gguf::parse(WHOLE).unwrap();
        let ranges = self.starts.windows(2).map(|range| range[0]..range[1]);
        let file = |(part, range): (usize, std::ops::Range<usize>)| {
            let mut writer = GgufWriter::new();
            if part == 0 {
                whole.metadata().for_each(|(key, value)| writer.pair(key, value).unwrap());
            }
            self.pairs[part].iter().for_each(|(key, value)| writer.pair(key, *value).unwrap());
            let tensors = || whole.tensors().skip(range.start).take(range.len());
            tensors().for_each(|t| writer.tensor(t.name, t.dims(), t.ggml_type).unwrap());
            let mut data = writer.begin(Vec::new()).unwrap();
            tensors().for_each(|t| data.write(whole.tensor_data(&t).unwrap()).unwrap());
            data.finish().unwrap()
        };
        ranges.enumerate().map(file).collect()
    }

    /// The files in a directory, with their names.
    fn written(&self) -> (tempfile::TempDir, Vec<PathBuf>) {
        let dir = tempfile::tempdir().unwrap();
        let files = self.files();
        let name = |part: usize| format!("tiny-{:05}-of-{:05}.gguf", part + 1, files.len());
        let paths: Vec<_> = (0..files.len()).map(|part| dir.path().join(name(part))).collect();
        paths.iter().zip(&files).for_each(|(path, bytes)| fs::write(path, bytes).unwrap());
        (dir, paths)
    }
}

/// Every tensor that plays a role.
fn tensors<'w>(checkpoint: &(impl Checkpoint<'w> + ?Sized)) -> Vec<(Role, &'w [u8])> {
    let mut all = Vec::new();
    let push = &mut |role, tensor: xielu::checkpoint::Tensor<'w>| {
        all.push((role, tensor.data));
        Ok(())
    };
    checkpoint.visit(push).unwrap();
    all
}

fn parsed(files: &[Vec<u8>]) -> Vec<Gguf<'_>> {
    files.iter().map(|file| Gguf::parse(file).unwrap()).collect()
}

#[test]
fn parts_are_one_model() {
    let whole = Gguf::parse(WHOLE).unwrap();
    // Two and three parts, a first part without tensors, one tensor in a part.
    for starts in [&[0, 20][..], &[0, 1, 43], &[0, 0], &[0, 0, 0, 44]] {
        let files = Split::at(starts).files();
        let parts = parsed(&files);
        let split = SplitGguf::new(&parts).unwrap();
        assert_eq!(split.parts().len(), starts.len());
        assert_eq!(split.config(), whole.config());
        assert_eq!(split.raw_xielu(3), whole.raw_xielu(3));
        assert_eq!(tensors(&split), tensors(&whole));
        let role = Role::OutputNorm;
        let data = |tensor: Option<xielu::checkpoint::Tensor<'_>>| tensor.unwrap().data.to_vec();
        assert_eq!(data(split.tensor(role).unwrap()), data(whole.tensor(role).unwrap()));
        // A part alone is none.
        let alone = parts[0].config().unwrap_err().to_string();
        assert!(alone.contains("`split.count`") && alone.contains("one of several"), "{alone}");
    }
    // A file that is not split is its only part; so is one that says it has one.
    for files in [vec![WHOLE.to_vec()], Split::at(&[0]).files()] {
        let parts = parsed(&files);
        assert_eq!(SplitGguf::new(&parts).unwrap().config(), whole.config());
        assert_eq!(parts[0].config(), whole.config());
    }
}

#[test]
fn what_is_not_one_model_is_named() {
    let error = |files: &[Vec<u8>]| SplitGguf::new(&parsed(files)).unwrap_err().to_string();
    let fine = || Split::at(&[0, 20, 30]);
    let files = fine().files();
    assert_eq!(error(&files[..2]), "the model is split over 3 files, not 2");
    assert_eq!(error(&files[..1]), "the model is split over 3 files, not 1");
    assert_eq!(error(&[]), "the model is split over 1 files, not 0");
    let [a, b, c] = &files[..] else { panic!() };
    assert_eq!(error(&[a.clone(), c.clone(), b.clone()]), "in the place of part 2 there is part 3");
    assert_eq!(
        error(&[WHOLE.to_vec(), b.clone(), c.clone()]),
        "part 1 does not say which part of a model it is (`split.no`)"
    );
    let mut files = Split { starts: vec![0, 20, 30, 44], ..fine() }.files();
    files[1] = Split { starts: vec![0, 19, 30, 44], ..fine() }.files().remove(1);
    let twice = Gguf::parse(WHOLE).unwrap().tensors().nth(19).unwrap().name;
    assert_eq!(error(&files), format!("tensor {twice} is in part 1 and in part 2"));
    for (split, message) in [
        (
            fine().with(1, "split.no", None),
            "part 2 does not say which part of a model it is (`split.no`)",
        ),
        (
            fine().with(2, "split.count", Some(Value::U16(4))),
            "part 3 is of another model than part 1: its `split.count` differs",
        ),
        (
            fine().with(2, "split.tensors.count", Some(Value::I32(45))),
            "part 3 is of another model than part 1: its `split.tensors.count` differs",
        ),
        (
            fine().with(1, "general.architecture", Some(Value::Str("llama"))),
            "part 2 is of another model than part 1: its `general.architecture` differs",
        ),
        (
            Split { starts: vec![0, 20, 30, 43], ..fine() },
            "the parts hold 43 tensors, `split.tensors.count` says 44",
        ),
        (
            fine().with(1, "split.no", Some(Value::Str("1"))),
            "key `split.no` is of type string, not an unsigned integer",
        ),
        (
            fine().with(0, "split.count", Some(Value::F32(3.0))),
            "key `split.count` is of type f32, not an unsigned integer",
        ),
    ] {
        assert_eq!(error(&split.files()), message);
    }
    // Other types of integers say the same.
    let other = fine().with(1, "split.no", Some(Value::U32(1)));
    let other = other.with(1, "split.tensors.count", Some(Value::U64(44)));
    SplitGguf::new(&parsed(&other.files())).unwrap();
}

#[test]
fn any_part_opens_the_model() {
    let whole = Gguf::parse(WHOLE).unwrap();
    let (_dir, paths) = Split::at(&[0, 20, 30]).written();
    for access in [Access::Map, Access::Read] {
        for path in &paths {
            let file = checkpoint::open_with(path, access).unwrap();
            let view = file.view().unwrap();
            assert_eq!(tensors(view.checkpoint()), tensors(&whole));
            assert_eq!((file.path(), view.checkpoint().config()), (&**path, whole.config()));
            assert!(file.file_size().unwrap() > WHOLE.len() - 4096);
        }
    }
    // A split model may be called otherwise as long as its parts are.
    let single = Split::at(&[0]).files().remove(0);
    let (dir, _) = Split::at(&[0]).written();
    let path = dir.path().join("any name.gguf");
    fs::write(&path, single).unwrap();
    checkpoint::open(&path).unwrap();
}

fn message(path: &Path) -> String {
    let message = checkpoint::open(path).unwrap_err().to_string();
    assert!(!message.contains('\n'), "{message}");
    message
}

#[test]
fn what_is_wrong_with_the_files_is_named() {
    let (_dir, paths) = Split::at(&[0, 20, 30]).written();
    let [a, b, c] = &paths[..] else { panic!() };
    let moved = b.with_extension("moved");
    fs::rename(b, &moved).unwrap();
    for path in [a, c] {
        let expected = format!("part 2 of 3 of the model is missing: there is no {}", b.display());
        assert_eq!(message(path), expected);
    }
    let renamed = message(&moved);
    assert!(renamed.contains("is part 2 of 3"), "{renamed}");
    assert!(renamed.contains("does not end in -00002-of-00003.gguf"), "{renamed}");
    // Another part, a damaged file, a pointer, a directory in its place.
    fs::copy(c, b).unwrap();
    assert!(message(a).ends_with("in the place of part 2 there is part 3"), "{}", message(a));
    fs::write(b, &fs::read(&moved).unwrap()[..100_000]).unwrap();
    let damaged = message(c);
    assert!(damaged.contains("-00002-of-") && damaged.contains("beyond the end"), "{damaged}");
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 1254176\n";
    fs::write(b, pointer).unwrap();
    let says = |path: &Path| {
        format!("{} is a Git LFS pointer, not the file; run `git lfs pull`", path.display())
    };
    assert_eq!(message(a), says(b));
    assert_eq!(message(b), says(b));
    fs::write(b, "<!DOCTYPE html>\n<html>").unwrap();
    assert!(message(a).ends_with("download the file that the page is about"), "{}", message(a));
    fs::remove_file(b).unwrap();
    fs::create_dir(b).unwrap();
    assert!(message(a).contains("-00002-of-00003.gguf"), "{}", message(a));
    // A name that says another number of parts.
    let other = a.with_file_name("tiny-00001-of-00002.gguf");
    fs::copy(a, &other).unwrap();
    assert!(message(&other).ends_with("is one of 3 parts by its metadata and of 2 by its name"));
}

#[cfg(feature = "safetensors")]
#[test]
fn directories_and_their_files_say_what_to_give() {
    let (dir, paths) = Split::at(&[0, 20, 30]).written();
    let directory = message(dir.path());
    assert!(directory.ends_with(&format!("give one, as {}", paths[0].display())), "{directory}");
    let shard = dir.path().join("model-00002-of-00003.safetensors");
    fs::write(&shard, "x").unwrap();
    assert!(message(&shard).ends_with("is one file of a Hugging Face model; give its directory"));
}
