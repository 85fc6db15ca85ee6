//! The tokenizer of a GGUF file: a whole `tokenizer.json`, or a byte-level BPE vocabulary.

use std::borrow::ToOwned as _;
use std::collections::HashSet;
use std::format;
use std::string::String;
use std::vec::Vec;

use tokenizers::models::bpe::BPE;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::{AddedToken, Tokenizer};

use super::door::Built;
use super::growth::Growth;
use super::guard::guarded;
use super::keys::Keys;
use super::{TokenizerError, door, pre};
use crate::checkpoint::gguf::Gguf;
use crate::checkpoint::stop_tokens;
use crate::checkpoint::tokenizer_json::{Edges, TokenizerJson};
use crate::names::TokenKind;

/// The keys `tokenizer.*` of a GGUF file.
#[derive(Debug, Default)]
pub struct GgufVocab {
    /// `ggml.model`: only `gpt2`, byte-level BPE, is supported.
    pub model: String,
    /// `ggml.pre`: which regular expressions cut the text.
    pub pre: String,
    /// `ggml.tokens`, by id.
    pub tokens: Vec<String>,
    /// `ggml.token_type`, by id; may be empty.
    pub token_types: Vec<i64>,
    /// `ggml.merges`, most frequent first: two tokens and a space between.
    pub merges: Option<Vec<String>>,
    /// `ggml.bos_token_id`.
    pub bos: Option<u32>,
    /// `ggml.add_bos_token`.
    pub add_bos: Option<bool>,
    /// `ggml.eos_token_id`.
    pub eos: Option<u32>,
    /// `ggml.add_eos_token`.
    pub add_eos: Option<bool>,
    /// The stop tokens that keys name.
    pub ends: Vec<u32>,
    /// Whether the keys name all of them.
    pub ends_are_listed: bool,
    /// `huggingface.json`.
    pub json: Option<String>,
}

impl GgufVocab {
    /// The keys of `gguf`.
    pub fn read(gguf: &Gguf<'_>) -> Result<Self, TokenizerError> {
        let keys = Keys(gguf);
        let json = keys.text("tokenizer.huggingface.json")?;
        let tokens = keys.texts("tokenizer.ggml.tokens")?;
        let Some(tokens) = tokens.or(json.map(|_| Vec::new())) else {
            return Err(TokenizerError(
                "the file has no vocabulary (tokenizer.ggml.tokens); convert the model again with \
                 its tokenizer, or use its Hugging Face directory"
                    .into(),
            ));
        };
        let list = keys.ids(stop_tokens::LIST_KEY)?;
        let mut ends = Vec::new();
        for key in stop_tokens::KEYS {
            ends.extend(keys.id(key)?);
        }
        ends.extend(list.iter().flatten());
        let token_types = keys.numbers("tokenizer.ggml.token_type")?.unwrap_or_default();
        if !token_types.is_empty() && token_types.len() < tokens.len() {
            return Err(TokenizerError(format!(
                "the file's tokenizer.ggml.token_type has {} entries for {} tokens",
                token_types.len(),
                tokens.len()
            )));
        }
        let rows = if tokens.is_empty() { u32::MAX as usize } else { tokens.len() };
        // What names no token is said to be none by other programs too.
        let in_rows = |id: &u32| (*id as usize) < rows;
        Ok(GgufVocab {
            model: keys.text("tokenizer.ggml.model")?.unwrap_or("unnamed").into(),
            pre: keys.text("tokenizer.ggml.pre")?.unwrap_or("default").into(),
            tokens,
            token_types,
            merges: keys.texts("tokenizer.ggml.merges")?,
            bos: keys.id("tokenizer.ggml.bos_token_id")?.filter(in_rows),
            add_bos: keys.flag("tokenizer.ggml.add_bos_token")?,
            eos: keys.id(stop_tokens::KEYS[0])?.filter(in_rows),
            add_eos: keys.flag("tokenizer.ggml.add_eos_token")?,
            ends: ends.into_iter().filter(in_rows).collect(),
            ends_are_listed: list.is_some(),
            json: json.map(String::from),
        })
    }

    /// The tokenizer and its stop tokens.
    pub fn build(mut self) -> Result<(Built, Vec<u32>), TokenizerError> {
        let json = self.json.take().map(|json| TokenizerJson::parse(json.as_bytes()));
        let json = json.transpose().map_err(of_json)?;
        let ends = self.all_ends(json.as_ref());
        let Some(json) = json else {
            let inner = self.tokenizer()?;
            let edges = self.edges(None)?;
            return Ok((Built { inner, growth: Growth::none(), edges }, ends));
        };
        let mut built = door::build(json).map_err(|e| of_json(e.0))?;
        built.edges = self.edges(Some(built.edges))?;
        Ok((built, ends))
    }

    /// Those that keys name; where they need not be all, those known by their texts too.
    fn all_ends(&self, json: Option<&TokenizerJson>) -> Vec<u32> {
        let (mut ends, mut seen) = (Vec::new(), HashSet::new());
        let mut add = |id: u32| {
            if seen.insert(id) {
                ends.push(id);
            }
        };
        self.ends.iter().copied().for_each(&mut add);
        if self.ends_are_listed {
            return ends;
        }
        let types =
            self.token_types.iter().copied().chain(std::iter::repeat(TokenKind::Control.id()));
        let by_text = self.tokens.iter().zip(types).zip(0..);
        let by_text = by_text.filter(|((text, kind), _)| {
            *kind != TokenKind::Normal.id() && stop_tokens::ends_by_text(text)
        });
        by_text.for_each(|(_, id)| add(id));
        if let Some(json) = json.filter(|_| self.tokens.is_empty()) {
            let known = json.added().iter();
            let known = known.filter(|t| t.special && stop_tokens::ends_by_text(&t.content));
            known.for_each(|token| add(token.id));
        }
        ends
    }

    /// The tokens around every text. The file's flags decide over the post-processor of a
    /// `tokenizer.json`, whose tokens these are, and over the habit of the pre-tokenizer's name.
    fn edges(&self, of_json: Option<Edges>) -> Result<Edges, TokenizerError> {
        let by_name = of_json.is_none() && pre::find(&self.pre).is_ok_and(|recipe| recipe.add_bos);
        let mut edges = of_json.unwrap_or_default();
        match (self.add_bos, self.bos) {
            (Some(false), _) => edges.prefix.clear(),
            (Some(true), Some(bos)) if edges.prefix.is_empty() => edges.prefix.push(bos),
            (Some(true), None) if edges.prefix.is_empty() => {
                return Err(TokenizerError(
                    "the file says that every text begins with a token \
                     (tokenizer.ggml.add_bos_token) and not with which \
                     (tokenizer.ggml.bos_token_id)"
                        .into(),
                ));
            }
            (None, Some(bos)) if by_name => edges.prefix.push(bos),
            _ => {}
        }
        match (self.add_eos, self.eos) {
            (Some(true), Some(eos)) if edges.suffix.is_empty() => edges.suffix.push(eos),
            _ => {}
        }
        Ok(edges)
    }

    /// Byte-level BPE.
    fn tokenizer(&self) -> Result<Tokenizer, TokenizerError> {
        if self.model != "gpt2" {
            return Err(TokenizerError(format!(
                "its vocabulary is of the kind \"{}\" and only \"gpt2\" (byte-level BPE) is \
                 supported; use the model's Hugging Face directory instead",
                self.model
            )));
        }
        let recipe = pre::find(&self.pre)?;
        let model = self.bpe(recipe.ignore_merges)?;
        let pre_tokenizer = recipe.build()?;
        guarded("its special tokens cannot be added", || {
            let mut tokenizer = Tokenizer::new(model);
            tokenizer.with_pre_tokenizer(Some(pre_tokenizer));
            tokenizer.with_decoder(Some(ByteLevel::default()));
            tokenizer.add_special_tokens(self.added(TokenKind::Control))?;
            tokenizer.add_tokens(self.added(TokenKind::UserDefined))?;
            Ok(tokenizer)
        })
    }

    fn bpe(&self, ignore_merges: bool) -> Result<BPE, TokenizerError> {
        let mut ids = tokenizers::models::bpe::Vocab::default();
        for (id, token) in self.tokens.iter().enumerate() {
            let id = u32::try_from(id)
                .map_err(|_| TokenizerError("its vocabulary has too many tokens".into()))?;
            let kind = self.token_types.get(id as usize);
            if kind == Some(&TokenKind::Unused.id()) && *token == format!("[PAD{id}]") {
                // So converters name a row of the embedding that is no token.
                continue;
            }
            // Other programs call rows without a text so.
            let token = if token.is_empty() { format!("[EMPTY_{id}]") } else { token.clone() };
            if ids.insert(token.clone(), id).is_some() {
                let problem = format!("its vocabulary has the token {token:?} twice");
                return Err(TokenizerError(problem));
            }
        }
        let Some(merges) = &self.merges else {
            return Err(TokenizerError(
                "the file has no merges (tokenizer.ggml.merges), without which its vocabulary \
                 makes single bytes of every text"
                    .into(),
            ));
        };
        let merges = merges.iter().map(|merge| {
            // The first token may itself begin with a space in no byte-level vocabulary.
            let (left, right) = merge.split_once(' ').ok_or_else(|| {
                TokenizerError(format!("its vocabulary has the merge {merge:?} of one part"))
            })?;
            Ok((left.to_owned(), right.to_owned()))
        });
        let merges = merges.collect::<Result<Vec<_>, TokenizerError>>()?;
        guarded("its vocabulary is inconsistent", || {
            BPE::builder().vocab_and_merges(ids, merges).ignore_merges(ignore_merges).build()
        })
    }

    /// The tokens of one type, to be matched as whole texts.
    fn added(&self, kind: TokenKind) -> Vec<AddedToken> {
        let typed = self.tokens.iter().zip(&self.token_types).filter(|(_, t)| **t == kind.id());
        let special = kind == TokenKind::Control;
        typed.map(|(token, _)| AddedToken::from(token.clone(), special).normalized(false)).collect()
    }
}

/// Names the key whose text it is about.
fn of_json(problem: String) -> TokenizerError {
    TokenizerError(format!("tokenizer.huggingface.json cannot be used: {problem}"))
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
            merges: Some(vec!["a b".into()]),
            bos: Some(0),
            ..GgufVocab::default()
        }
    }

    #[test]
    fn special_and_user_tokens_are_matched_whole() {
        let tokenizer = small().tokenizer().unwrap();
        let ids = |text| tokenizer.encode_fast(text, false).unwrap().get_ids().to_vec();
        assert_eq!(ids("ab ba</s>a<tool>"), [3, 4, 2, 1, 0, 1, 5]);
        assert_eq!(tokenizer.decode(&[3, 4, 0, 5], true).unwrap(), "ab <tool>");
    }

    #[test]
    fn rows_without_a_text_are_no_contradiction() {
        let mut vocab = small();
        vocab.tokens.extend(["".into(), "".into()]);
        let tokenizer = vocab.tokenizer().unwrap();
        assert_eq!(tokenizer.token_to_id("[EMPTY_7]"), Some(7));
    }

    #[test]
    fn rows_without_a_token_print_nothing() {
        let mut vocab = small();
        vocab.tokens.push("[PAD6]".into());
        vocab.token_types.push(TokenKind::Unused.id());
        assert_eq!(vocab.tokenizer().unwrap().decode(&[1, 6, 2], true).unwrap(), "ab");
    }

    #[test]
    fn the_file_decides_about_the_tokens_around_a_text() {
        let edges = |vocab: &GgufVocab| vocab.edges(None).unwrap();
        let mut vocab = small();
        assert_eq!(edges(&vocab), Edges::default());
        vocab.add_bos = Some(true);
        assert_eq!(edges(&vocab).prefix, [0]);
        vocab.add_bos = None;
        vocab.pre = "llama-bpe".into();
        assert_eq!(edges(&vocab).prefix, [0]);
        vocab.add_bos = Some(false);
        assert!(edges(&vocab).prefix.is_empty());
        (vocab.add_bos, vocab.bos) = (None, None);
        assert!(edges(&vocab).prefix.is_empty());
        (vocab.add_eos, vocab.eos) = (Some(true), Some(2));
        assert_eq!(edges(&vocab).suffix, [2]);
        vocab.add_bos = Some(true);
        let problem = vocab.edges(None).unwrap_err().to_string();
        assert!(problem.contains("bos_token_id"), "{problem}");
    }

    #[test]
    fn texts_end_a_generation_only_where_no_list_does() {
        let mut vocab = small();
        vocab.ends = vec![3];
        assert_eq!(vocab.all_ends(None), [3, 0]);
        vocab.token_types[0] = 1;
        assert_eq!(vocab.all_ends(None), [3]);
        vocab.token_types = vec![];
        assert_eq!(vocab.all_ends(None), [3, 0]);
        vocab.ends_are_listed = true;
        assert_eq!(vocab.all_ends(None), [3]);
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
        fails(|v| v.merges = Some(vec!["ab".into()]), "one part");
        fails(|v| v.merges = Some(vec!["ab zz".into()]), "inconsistent");
        fails(|v| v.merges = None, "no merges");
        fails(
            |v| v.json = Some("{".into()),
            "tokenizer.huggingface.json cannot be used: it is not",
        );
    }
}
