use std::string::ToString;
use std::vec;

use super::*;
use crate::train::Batches;
use crate::train::presets::Preset;

const HELDOUT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/models/heldout.txt");
const TOKENIZER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/tiny/tokenizer.json");

/// The smallest preset, on `text`, with the bundled tokenizer.
fn config(text: &Path) -> TrainConfig {
    let mut config = Preset::find("smoke").unwrap().config().unwrap();
    config.model.vocab_size = 1024;
    config.data.train = vec![text.into()];
    config.data.tokenizer = Some(TOKENIZER.into());
    config
}

fn quietly() -> OnProgress<'static> {
    Box::new(|_| ControlFlow::Continue(()))
}

fn tokens(dir: &Path) -> Vec<u32> {
    let shards = Shards::open(dir).unwrap();
    let mut ids = vec![];
    shards.read(0, usize::try_from(shards.tokens()).unwrap(), &mut ids).unwrap();
    ids
}

/// When the index was written.
fn written(dir: &Path) -> std::time::SystemTime {
    fs::metadata(dir.join("train/index.json")).unwrap().modified().unwrap()
}

#[test]
fn pieces_give_the_tokens_of_the_whole_text() {
    let dir = tempfile::tempdir().unwrap();
    // Longer than a piece, so that it is cut and put together.
    let text = fs::read_to_string(HELDOUT).unwrap().repeat(14);
    let path = dir.path().join("text.txt");
    fs::write(&path, &text).unwrap();
    let out = dir.path().join("data");
    let dataset = prepare(&config(&path), &out, quietly()).unwrap();
    assert!(dataset.validation.is_none());
    let whole = dataset.tokenizer.encode(&text).unwrap();
    assert!(tokens(&out.join("train")) == whole);
}

#[test]
fn documents_have_the_end_token_between_them() {
    let dir = tempfile::tempdir().unwrap();
    let first = dir.path().join("1.txt");
    fs::write(&first, "one\n---\ntwo\n---\n---\nthree").unwrap();
    fs::write(dir.path().join("2.txt"), "four\n".repeat(100)).unwrap();
    let mut config = config(dir.path());
    config.data.separator = Some("\n---\n".into());
    let out = dir.path().join("data");
    let dataset = prepare(&config, &out, quietly()).unwrap();
    let ids = tokens(&out.join("train"));
    let documents: Vec<_> = ids.split(|&id| id == 2).collect();
    let expected = ["one", "two", "---\nthree", &"four\n".repeat(100)];
    for (document, text) in documents.iter().zip(expected) {
        assert_eq!(*document, dataset.tokenizer.encode(text).unwrap(), "{text}");
    }
    assert_eq!(documents.len(), 4);
}

#[test]
fn shards_are_made_again_only_if_something_changed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("text.txt");
    fs::copy(HELDOUT, &path).unwrap();
    let out = dir.path().join("data");
    let mut config = config(&path);
    config.data.validation_fraction = Some(0.25);
    let first = prepare(&config, &out, quietly()).unwrap();
    assert_eq!((first.train.tokens(), first.validation.unwrap().windows()), (6144, 32));
    let before = written(&out);
    config.run.seed = 5;
    let again = prepare(&config, &out, quietly()).unwrap();
    assert_eq!(written(&out), before);
    assert_ne!(again.train.next(0, 0).unwrap(), first.train.next(0, 0).unwrap());

    // Another separator, another tokenizer, another text.
    config.data.separator = Some("\n\n\n".into());
    prepare(&config, &out, quietly()).unwrap();
    let separated = written(&out);
    assert_ne!(separated, before);
    config.data.tokenizer = None;
    prepare(&config, &out, quietly()).unwrap();
    let trained = written(&out);
    assert_ne!(trained, separated);
    prepare(&config, &out, quietly()).unwrap();
    assert_eq!(written(&out), trained);
    fs::write(&path, "Other text. ".repeat(1000)).unwrap();
    let error = open(&config, &out).map(|_| ()).unwrap_err().to_string();
    assert!(error.contains("has changed"), "{error}");
    prepare(&config, &out, quietly()).unwrap();
    assert_ne!(written(&out), trained);

    // A run that goes on needs the shards alone, for the same vocabulary.
    fs::remove_file(&path).unwrap();
    open(&config, &out).unwrap();
    config.model.vocab_size = 1025;
    let error = open(&config, &out).map(|_| ()).unwrap_err().to_string();
    assert!(error.contains("vocabulary of 1024") && error.contains("1025"), "{error}");
}

#[test]
fn a_preparation_can_be_broken_off_and_leaves_nothing_that_counts() {
    let dir = tempfile::tempdir().unwrap();
    for tokenizer in [None, Some(TOKENIZER.into())] {
        let mut config = config(Path::new(HELDOUT));
        config.data.tokenizer = tokenizer;
        let broken = prepare(&config, dir.path(), Box::new(|_| ControlFlow::Break(())));
        assert!(matches!(broken, Err(TrainError::Cancelled)));
        assert!(open(&config, dir.path()).is_err());
    }
}
