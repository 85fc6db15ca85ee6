//! Text to token ids: a given `tokenizer.json`, or byte-level BPE trained on the text.

use std::collections::HashSet;
use std::format;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::string::{String, ToString as _};
use std::vec::Vec;

use serde_json::{Value, json};
use tokenizers::models::TrainerWrapper;
use tokenizers::models::bpe::{BPE, BpeTrainer};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::{AddedToken, Tokenizer};

use crate::checkpoint::tokenizer_json::TokenizerJson;
use crate::tokenizer::{Built, TokenizerError, build, guarded, one_line};
use crate::train::TrainError;
use crate::train::files::write_whole;

/// The special tokens of a trained tokenizer, in the order of their ids: padding, begin and end
/// of a text.
const SPECIAL: [&str; 3] = ["<pad>", "<s>", "</s>"];
/// What ends a text where no file says it.
const ENDS: [&str; 6] =
    ["</s>", "<|end_of_text|>", "<|endoftext|>", "<|eot_id|>", "<|im_end|>", "<eos>"];
/// A byte-level vocabulary has at least these: the bytes and the special tokens.
pub const MIN_VOCAB: usize = 256 + SPECIAL.len();

/// A tokenizer and the files that describe it.
pub struct TextTokenizer {
    built: Built,
    json: String,
    settings: Value,
    eos: Option<u32>,
}

impl TextTokenizer {
    /// Reads `tokenizer.json` (or the one in a directory), and `tokenizer_config.json` beside it
    /// where there is one.
    ///
    /// # Errors
    /// If it cannot be read or is no tokenizer.
    pub fn open(path: &Path) -> Result<Self, TrainError> {
        let path = if path.is_dir() { path.join("tokenizer.json") } else { path.into() };
        let json = fs::read_to_string(&path)
            .map_err(|source| TrainError::Io { path: path.clone(), source })?;
        let beside = path.with_file_name("tokenizer_config.json");
        let settings = match fs::read_to_string(&beside) {
            Ok(text) => serde_json::from_str(&text)
                .map_err(|e| TrainError::Data(format!("{} is not JSON: {e}", beside.display())))?,
            Err(e) if e.kind() == ErrorKind::NotFound => Value::Null,
            Err(source) => return Err(TrainError::Io { path: beside, source }),
        };
        Self::from_json(json, settings).map_err(|problem| {
            TrainError::Data(format!("{} is no tokenizer: {problem}", path.display()))
        })
    }

    /// Trains byte-level BPE, as GPT-2's, with `vocab_size` tokens on `texts`.
    ///
    /// # Errors
    /// If `vocab_size` is less than [`MIN_VOCAB`], or what `texts` reports.
    pub fn train(
        vocab_size: usize,
        texts: impl Iterator<Item = Result<String, TrainError>> + Send,
    ) -> Result<Self, TrainError> {
        if vocab_size < MIN_VOCAB {
            let problem = format!("is {vocab_size}; a byte-level tokenizer needs {MIN_VOCAB}");
            return Err(TrainError::Config { key: "model.vocab_size", problem });
        }
        let failed = |e: tokenizers::Error| {
            TrainError::Data(format!("the tokenizer cannot be trained: {}", one_line(&e)))
        };
        let alphabet: HashSet<char> = ByteLevel::alphabet().into_iter().collect();
        let trainer = BpeTrainer::builder()
            .vocab_size(vocab_size)
            .min_frequency(2)
            .show_progress(false)
            .initial_alphabet(alphabet)
            .special_tokens(SPECIAL.map(|token| AddedToken::from(token, true)).to_vec())
            .build();
        let mut inner = Tokenizer::new(BPE::default());
        inner.with_pre_tokenizer(Some(ByteLevel::default().add_prefix_space(false)));
        inner.with_decoder(Some(ByteLevel::default()));
        // The crate takes texts only; the first error ends them and is kept here.
        let mut problem = None;
        let texts = texts.map_while(|text| text.map_err(|e| problem = Some(e)).ok());
        inner.train(&mut TrainerWrapper::from(trainer), texts).map_err(failed)?;
        if let Some(problem) = problem {
            return Err(problem);
        }
        let json = inner.to_string(true).map_err(failed)?;
        let [pad, bos, eos] = SPECIAL;
        let settings = json!({
            "add_prefix_space": false,
            "bos_token": bos,
            "eos_token": eos,
            "pad_token": pad,
            "tokenizer_class": "PreTrainedTokenizerFast",
        });
        Self::from_json(json, settings).map_err(TrainError::Data)
    }

    fn from_json(json: String, settings: Value) -> Result<Self, String> {
        let json = without_batch_state(json)?;
        let checked = TokenizerJson::parse(json.as_bytes())?;
        let mut built = build(checked).map_err(|e| e.to_string())?;
        // Special tokens named in a text are text.
        built.inner.set_encode_special_tokens(true);
        let named = |name: &str| built.inner.token_to_id(name);
        let setting = &settings["eos_token"];
        let eos = match setting.as_str().or_else(|| setting["content"].as_str()) {
            Some(name) => named(name),
            None => ENDS.into_iter().find_map(named),
        };
        Ok(TextTokenizer { built, json, settings, eos })
    }

    /// The token that begins every text, if the tokenizer adds one.
    pub fn bos(&self) -> Option<u32> {
        self.built.edges.prefix.first().copied()
    }

    /// The token that ends a text, if there is one.
    pub fn eos(&self) -> Option<u32> {
        self.eos
    }

    /// One more than the largest id.
    pub fn vocab_size(&self) -> usize {
        let largest = self.built.inner.get_vocab(true).into_values().max();
        largest.map_or(0, |id| id as usize + 1)
    }

    /// `tokenizer.json`.
    pub fn json(&self) -> &str {
        &self.json
    }

    /// The ids of a text, without special tokens.
    ///
    /// # Errors
    /// What the tokenizer reports.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, TrainError> {
        let failed = |e: TokenizerError| TrainError::Data(e.to_string());
        self.built.growth.check(text).map_err(failed)?;
        let encode = || self.built.inner.encode_fast(text, false);
        let encoding = guarded("the text cannot be tokenized", encode).map_err(failed)?;
        Ok(encoding.get_ids().to_vec())
    }

    /// Writes `tokenizer.json`, and `tokenizer_config.json` where there was one, into `dir`.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn save(&self, dir: &Path) -> Result<(), TrainError> {
        write_whole(&dir.join("tokenizer.json"), self.json.as_bytes())?;
        if self.settings.is_null() {
            return Ok(());
        }
        let settings = format!("{:#}\n", self.settings);
        write_whole(&dir.join("tokenizer_config.json"), settings.as_bytes())
    }

    /// The id of the token that the settings call `pad_token` or `bos_token`.
    pub fn setting_id(&self, key: &str) -> Option<u32> {
        let setting = &self.settings[key];
        let name = setting.as_str().or_else(|| setting["content"].as_str())?;
        self.built.inner.token_to_id(name)
    }
}

/// The file without what its last batch left in it, so that nothing that reads it again cuts or
/// pads texts; a file without such a state as it is.
fn without_batch_state(json: String) -> Result<String, String> {
    let mut parts: Value = serde_json::from_str(&json).map_err(|e| format!("not JSON: {e}"))?;
    let mut held = false;
    for key in ["truncation", "padding"] {
        if let Some(state) = parts.get_mut(key).filter(|state| !state.is_null()) {
            *state = Value::Null;
            held = true;
        }
    }
    Ok(if held { format!("{parts:#}\n") } else { json })
}

#[cfg(test)]
mod tests {

    use super::*;

    const TEXT: &str = include_str!("../../../models/heldout.txt");

    fn trained(vocab_size: usize) -> Result<TextTokenizer, TrainError> {
        TextTokenizer::train(vocab_size, [Ok(TEXT.to_string())].into_iter())
    }

    #[test]
    fn a_trained_tokenizer_reads_everything_and_is_the_same_again() {
        let tokenizer = trained(400).unwrap();
        assert_eq!(tokenizer.vocab_size(), 400);
        assert_eq!((tokenizer.bos(), tokenizer.eos()), (None, Some(2)));
        assert_eq!(tokenizer.setting_id("pad_token"), Some(0));
        assert_eq!(tokenizer.json(), trained(400).unwrap().json());
        let text = "fn main() { 日本語 \u{0} </s> }\r\n";
        let ids = tokenizer.encode(text).unwrap();
        assert!(!ids.contains(&2), "{ids:?}");
        assert_eq!(tokenizer.built.inner.decode(&ids, false).unwrap(), text);
        let dir = tempfile::tempdir().unwrap();
        tokenizer.save(dir.path()).unwrap();
        let again = TextTokenizer::open(dir.path()).unwrap();
        assert_eq!((again.json(), again.encode(text).unwrap()), (tokenizer.json(), ids));
        assert_eq!(again.eos(), Some(2));
    }

    #[test]
    fn the_bundled_tokenizer_gives_its_golden_ids() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/tiny");
        let tokenizer = TextTokenizer::open(&root.join("tokenizer.json")).unwrap();
        assert_eq!((tokenizer.vocab_size(), tokenizer.eos()), (1024, Some(2)));
        assert_eq!(tokenizer.encode(TEXT).unwrap().len(), 8192);
    }

    #[test]
    fn the_state_of_a_batch_is_no_part_of_a_tokenizer() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/tiny");
        let text = fs::read_to_string(root.join("tokenizer.json")).unwrap();
        let mut json: Value = serde_json::from_str(&text).unwrap();
        json["truncation"] = json!({
            "direction": "Right", "max_length": 8, "strategy": "LongestFirst", "stride": 0,
        });
        json["padding"] = json!({
            "strategy": {"Fixed": 99999}, "direction": "Right", "pad_to_multiple_of": null,
            "pad_id": 0, "pad_type_id": 0, "pad_token": "<pad>",
        });
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tokenizer.json");
        fs::write(&path, json.to_string()).unwrap();
        let tokenizer = TextTokenizer::open(&path).unwrap();
        assert_eq!(tokenizer.encode(TEXT).unwrap().len(), 8192);
        tokenizer.save(dir.path()).unwrap();
        let saved: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        assert!(saved["truncation"].is_null() && saved["padding"].is_null());
    }

    #[test]
    fn what_is_no_tokenizer_is_named() {
        let error = trained(MIN_VOCAB - 1).map(|_| ()).unwrap_err().to_string();
        assert!(error.contains("vocab_size") && error.contains("259"), "{error}");
        let failing = [Ok("text".to_string()), Err(TrainError::Data("broken".into()))];
        let error = TextTokenizer::train(300, failing.into_iter()).map(|_| ()).unwrap_err();
        assert_eq!(error.to_string(), "broken");
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tokenizer.json");
        assert!(matches!(TextTokenizer::open(&path), Err(TrainError::Io { .. })));
        fs::write(&path, "{}").unwrap();
        let error = TextTokenizer::open(&path).map(|_| ()).unwrap_err().to_string();
        assert!(error.contains("no tokenizer"), "{error}");
    }
}
