//! The only place where a tokenizer of the `tokenizers` crate is made of a file.

use std::format;

use serde::de::DeserializeOwned;
use tokenizers::{
    AddedToken, DecoderWrapper, ModelWrapper, NormalizedString, Normalizer as _, NormalizerWrapper,
    PostProcessorWrapper, PreTokenizerWrapper, TokenizerBuilder,
};

use super::TokenizerError;
use super::growth::Growth;
use super::guard::guarded;
use crate::checkpoint::tokenizer_json::{Edges, TokenizerJson};

/// A tokenizer that reads texts, and the tokens around every text.
pub(crate) struct Built {
    pub(crate) inner: tokenizers::Tokenizer,
    pub(crate) growth: Growth,
    pub(crate) edges: Edges,
}

/// Makes the tokenizer, part by part.
pub(crate) fn build(mut json: TokenizerJson) -> Result<Built, TokenizerError> {
    let edges = json.edges().clone();
    let growth = Growth::of(json.part("normalizer"))?;
    for token in json.added().iter().filter(|token| token.normalized) {
        growth.check(&token.content)?;
    }
    let model = part::<ModelWrapper>(&mut json, "model")?;
    let normalizer = part::<NormalizerWrapper>(&mut json, "normalizer")?;
    let pre_tokenizer = part::<PreTokenizerWrapper>(&mut json, "pre_tokenizer")?;
    let post_processor = part::<PostProcessorWrapper>(&mut json, "post_processor")?;
    let decoder = part::<DecoderWrapper>(&mut json, "decoder")?;
    let inner = guarded("its tokenizer cannot be built", || {
        let model = model.ok_or("it has no model")?;
        let mut inner: tokenizers::Tokenizer = TokenizerBuilder::new()
            .with_model(model)
            .with_normalizer(normalizer)
            .with_pre_tokenizer(pre_tokenizer)
            .with_post_processor(post_processor)
            .with_decoder(decoder)
            .build()?
            .into();
        refuse_vanishing(&inner, &json)?;
        let added = json.added().iter().map(|token| AddedToken {
            content: token.content.clone(),
            single_word: token.single_word,
            lstrip: token.lstrip,
            rstrip: token.rstrip,
            normalized: token.normalized,
            special: token.special,
        });
        inner.add_tokens(added)?;
        Ok(inner)
    })?;
    Ok(Built { inner, growth, edges })
}

/// Refuses added tokens of which the normalizer leaves nothing: nothing is found everywhere, which
/// takes memory without end.
fn refuse_vanishing(inner: &tokenizers::Tokenizer, json: &TokenizerJson) -> tokenizers::Result<()> {
    let Some(normalizer) = inner.get_normalizer() else { return Ok(()) };
    for token in json.added().iter().filter(|token| token.normalized) {
        let mut text = NormalizedString::from(token.content.as_str());
        normalizer.normalize(&mut text)?;
        if text.get().is_empty() {
            let token = &token.content;
            return Err(format!("its normalizer leaves nothing of its token {token:?}").into());
        }
    }
    Ok(())
}

/// A part of the file as the crate reads it.
pub(super) fn part<T: DeserializeOwned>(
    json: &mut TokenizerJson,
    name: &str,
) -> Result<Option<T>, TokenizerError> {
    let Some(value) = json.take(name) else { return Ok(None) };
    guarded(&format!("its {name} cannot be read"), || Ok(Some(serde_json::from_value(value)?)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString as _;

    #[test]
    fn a_token_that_the_normalizer_takes_away_is_refused() {
        let of = |content: &str| {
            let token = serde_json::json!({
                "id": 1, "content": content, "single_word": false, "lstrip": false,
                "rstrip": false, "normalized": true, "special": false,
            });
            let json = serde_json::json!({
                "version": "1.0", "added_tokens": [token], "post_processor": null,
                "normalizer": {"type": "Strip", "strip_left": true, "strip_right": true},
                "model": {"type": "BPE", "vocab": {"a": 0}, "merges": []},
            });
            build(TokenizerJson::parse(json.to_string().as_bytes()).unwrap())
        };
        assert!(of(" b ").is_ok());
        let text = of("\n\n").err().unwrap().to_string();
        let says = "its normalizer leaves nothing of its token \"\\n\\n\"";
        assert_eq!(text, format!("its tokenizer cannot be built: {says}"));
    }
}
