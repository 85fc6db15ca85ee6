//! A byte-level BPE vocabulary as GGUF metadata stores it.

use std::borrow::ToOwned as _;
use std::format;
use std::string::String;
use std::vec::Vec;

use tokenizers::models::bpe::BPE;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::{AddedToken, Tokenizer};

use super::{TokenizerError, pre};
use crate::checkpoint::gguf::Gguf;

/// `tokenizer.ggml.token_type` of tokens that are not text: `</s>`.
const CONTROL: i32 = 3;
/// `tokenizer.ggml.token_type` of tokens added by hand, matched before BPE.
const USER_DEFINED: i32 = 4;

/// The keys `tokenizer.ggml.*` of a GGUF file.
#[derive(Debug, Default)]
pub struct GgufVocab {
    /// `model`: only `gpt2`, byte-level BPE, is supported.
    pub model: String,
    /// `pre`: which regular expressions cut the text.
    pub pre: String,
    /// `tokens`, by id.
    pub tokens: Vec<String>,
    /// `token_type`, by id; may be empty.
    pub token_types: Vec<i32>,
    /// `merges`, most frequent first: two tokens and a space between.
    pub merges: Vec<String>,
    /// `bos_token_id`.
    pub bos: Option<u32>,
    /// `add_bos_token`.
    pub add_bos: Option<bool>,
    /// `eos_token_id`, `eot_token_id`, `eom_token_id`: those present.
    pub ends: Vec<u32>,
}

impl GgufVocab {
    /// The keys of `gguf`.
    pub fn read(gguf: &Gguf<'_>) -> Result<Self, TokenizerError> {
        let strings = |key: &str| {
            let array = gguf.get_array(key).and_then(|a| a.strs());
            array.map(|strs| strs.map(String::from).collect::<Vec<_>>())
        };
        let id =
            |key: &str| gguf.get(key).and_then(|v| v.as_u64()).and_then(|v| u32::try_from(v).ok());
        let Some(tokens) = strings("tokenizer.ggml.tokens") else {
            return Err(TokenizerError(
                "the file has no vocabulary (tokenizer.ggml.tokens); convert the model again with \
                 its tokenizer, or use its Hugging Face directory"
                    .into(),
            ));
        };
        let types = gguf.get_array("tokenizer.ggml.token_type");
        let ends = ["eos", "eot", "eom"].map(|name| id(&format!("tokenizer.ggml.{name}_token_id")));
        Ok(GgufVocab {
            model: gguf.get_str("tokenizer.ggml.model").unwrap_or("unnamed").into(),
            pre: gguf.get_str("tokenizer.ggml.pre").unwrap_or("default").into(),
            tokens,
            token_types: types.and_then(|a| a.i32s()).into_iter().flatten().collect(),
            merges: strings("tokenizer.ggml.merges").unwrap_or_default(),
            bos: id("tokenizer.ggml.bos_token_id"),
            add_bos: gguf.get_bool("tokenizer.ggml.add_bos_token"),
            ends: ends.into_iter().flatten().collect(),
        })
    }

    /// The token that begins every text, if the model was trained with one.
    pub fn leading_token(&self) -> Option<u32> {
        let by_default = pre::find(&self.pre).is_ok_and(|recipe| recipe.add_bos);
        self.bos.filter(|_| self.add_bos.unwrap_or(by_default))
    }

    /// The tokenizer.
    pub fn build(&self) -> Result<Tokenizer, TokenizerError> {
        if self.model != "gpt2" {
            return Err(TokenizerError(format!(
                "its vocabulary is of the kind \"{}\" and only \"gpt2\" (byte-level BPE) is \
                 supported; use the model's Hugging Face directory instead",
                self.model
            )));
        }
        let recipe = pre::find(&self.pre)?;
        let model = self.bpe(recipe.ignore_merges)?;
        let mut tokenizer = Tokenizer::new(model);
        tokenizer.with_pre_tokenizer(Some(recipe.build()?));
        tokenizer.with_decoder(Some(ByteLevel::default()));
        tokenizer
            .add_special_tokens(self.added(CONTROL))
            .and_then(|_| tokenizer.add_tokens(self.added(USER_DEFINED)))
            .map_err(|e| TokenizerError::of("its special tokens cannot be added", &e))?;
        Ok(tokenizer)
    }

    fn bpe(&self, ignore_merges: bool) -> Result<BPE, TokenizerError> {
        let mut ids = tokenizers::models::bpe::Vocab::default();
        for (id, token) in self.tokens.iter().enumerate() {
            let id = u32::try_from(id)
                .map_err(|_| TokenizerError("its vocabulary has too many tokens".into()))?;
            if ids.insert(token.clone(), id).is_some() {
                let problem = format!("its vocabulary has the token {token:?} twice");
                return Err(TokenizerError(problem));
            }
        }
        let merges = self.merges.iter().map(|merge| {
            // The first token may itself begin with a space in no byte-level vocabulary.
            let (left, right) = merge.split_once(' ').ok_or_else(|| {
                TokenizerError(format!("its vocabulary has the merge {merge:?} of one part"))
            })?;
            Ok((left.to_owned(), right.to_owned()))
        });
        let merges = merges.collect::<Result<Vec<_>, TokenizerError>>()?;
        BPE::builder()
            .vocab_and_merges(ids, merges)
            .ignore_merges(ignore_merges)
            .build()
            .map_err(|e| TokenizerError::of("its vocabulary is inconsistent", &e))
    }

    /// The tokens of one type, to be matched as they stand.
    fn added(&self, kind: i32) -> Vec<AddedToken> {
        let typed = self.tokens.iter().zip(&self.token_types);
        typed
            .filter(|&(_, &t)| t == kind)
            .map(|(token, _)| AddedToken::from(token.clone(), kind == CONTROL).normalized(false))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString as _;
    use std::vec;

    fn small() -> GgufVocab {
        let tokens = ["</s>", "a", "b", "ab", "Ġ", "<tool>"];
        GgufVocab {
            model: "gpt2".into(),
            pre: "gpt-2".into(),
            tokens: tokens.map(String::from).to_vec(),
            token_types: vec![3, 1, 1, 1, 1, 4],
            merges: vec!["a b".into()],
            bos: Some(0),
            ..GgufVocab::default()
        }
    }

    #[test]
    fn special_and_user_tokens_are_matched_whole() {
        let tokenizer = small().build().unwrap();
        let ids = |text| tokenizer.encode_fast(text, false).unwrap().get_ids().to_vec();
        assert_eq!(ids("ab ba</s>a<tool>"), [3, 4, 2, 1, 0, 1, 5]);
        assert_eq!(tokenizer.decode(&[3, 4, 0, 5], true).unwrap(), "ab <tool>");
    }

    #[test]
    fn the_file_decides_about_the_leading_token() {
        let mut vocab = small();
        assert_eq!(vocab.leading_token(), None);
        vocab.add_bos = Some(true);
        assert_eq!(vocab.leading_token(), Some(0));
        vocab.add_bos = None;
        vocab.pre = "llama-bpe".into();
        assert_eq!(vocab.leading_token(), Some(0));
        vocab.bos = None;
        assert_eq!(vocab.leading_token(), None);
    }

    #[test]
    fn broken_vocabularies_are_refused() {
        let fails = |change: fn(&mut GgufVocab), says: &str| {
            let mut vocab = small();
            change(&mut vocab);
            let message = vocab.build().err().unwrap().to_string();
            assert!(message.contains(says), "{message}");
        };
        fails(|v| v.model = "llama".into(), "only \"gpt2\"");
        fails(|v| v.pre = "nonsense".into(), "known are");
        fails(|v| v.tokens[2] = "a".into(), "twice");
        fails(|v| v.merges.push("ab".into()), "one part");
        fails(|v| v.merges.push("ab zz".into()), "inconsistent");
    }
}
