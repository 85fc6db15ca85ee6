//! A model, and the text it is writing.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::sync::Arc;

use wasm_bindgen::prelude::*;
use xielu::Session;
use xielu::checkpoint;
use xielu::llama::{Generation, KvType, Sampler, SamplerOptions};
use xielu::session::SessionOptions;
use xielu::tokenizer::{TextStream, Tokenizer};

use crate::chat::Chat;
use crate::facts::facts;

/// Positions of the KV cache at most, where the model was trained for more.
const MAX_CONTEXT: usize = 4096;
/// Tokens of a prompt that go through the layers together.
const BATCH: usize = 32;
/// As the command line's.
const TOP_K: usize = 40;
const TOP_P: f32 = 0.95;

/// A model in memory: text goes in by `start` or `ask`, and comes out of `step`.
#[wasm_bindgen]
pub struct Model {
    session: Session,
    facts: String,
    /// If it has a chat template.
    chat: Option<Chat>,
    generation: Generation,
    stream: TextStream<Arc<Tokenizer>>,
    /// Tokens of the prompt that the decoder has not seen.
    unread: VecDeque<u32>,
}

impl Model {
    /// A model of a file's bytes.
    pub fn load(bytes: Vec<u8>) -> Result<Model, JsError> {
        let file = bytes.len();
        let options =
            SessionOptions { batch: BATCH, kv_type: KvType::F16, ..SessionOptions::default() };
        let mut session = Session::new(checkpoint::from_bytes(bytes)?, &options)?;
        session.reserve(session.config().context_length.min(MAX_CONTEXT))?;
        let tokenizer = session.tokenizer()?.clone();
        // A template that cannot be used is no reason to refuse the model.
        let (chat, problem) = match Chat::of_model(session.view()) {
            Ok(chat) => (chat, None),
            Err(error) => (None, Some(error.to_string())),
        };
        let mut facts = facts(&session, file);
        facts["chat"] = chat.is_some().into();
        facts["chatProblem"] = problem.into();
        Ok(Model {
            facts: facts.to_string(),
            chat,
            generation: Generation::new(Sampler::new(SamplerOptions::default()), 0),
            stream: TextStream::new(tokenizer),
            unread: VecDeque::new(),
            session,
        })
    }
}

#[wasm_bindgen]
impl Model {
    /// What the model is, as JSON.
    pub fn facts(&self) -> String {
        self.facts.clone()
    }

    /// Begins a text of `prompt` and at most `tokens` more, and returns the prompt as its tokens
    /// are written. Nothing is computed yet.
    ///
    /// # Errors
    /// If there is no prompt, or the context has no room for so many tokens.
    pub fn start(
        &mut self,
        prompt: &str,
        tokens: usize,
        temperature: f32,
        seed: u32,
    ) -> Result<String, JsError> {
        let ids = self.session.tokenizer()?.encode_prompt(prompt)?;
        if ids.is_empty() {
            return Err(JsError::new("the prompt is empty"));
        }
        self.begin(&ids, "prompt", Draw { tokens, temperature, seed })?;
        self.session.reset();
        let text = ids.iter().map(|&id| Ok(self.stream.push(id)?.unwrap_or_default())).collect();
        self.unread = ids.into();
        text
    }

    /// Begins a conversation anew, with a system message unless it is empty.
    pub fn forget(&mut self, system: &str) {
        if let Some(chat) = &mut self.chat {
            chat.begin(system);
        }
    }

    /// Puts a message of the user into the conversation and begins an answer of at most `tokens`.
    /// Of the conversation only what is new is read. Nothing is computed yet.
    ///
    /// # Errors
    /// If the model has no chat template, the template refuses the message, or the context has no
    /// room for the conversation and so many tokens; the message is then not kept.
    pub fn ask(
        &mut self,
        message: &str,
        tokens: usize,
        temperature: f32,
        seed: u32,
    ) -> Result<(), JsError> {
        let Some(chat) = &mut self.chat else {
            return Err(JsError::new("the model has no chat template"));
        };
        let text = chat.ask(message)?;
        let draw = Draw { tokens, temperature, seed };
        let ids = self.session.text_ids(&text).map_err(JsError::from);
        let ids = ids.and_then(|ids| self.begin(&ids, "conversation", draw).map(|()| ids));
        let ids = match ids {
            Ok(ids) => ids,
            Err(error) => {
                self.chat.iter_mut().for_each(Chat::withdraw);
                return Err(error);
            }
        };
        // The last token is read again, so that an answer can follow.
        let beginning = ids.split_last().map_or(&[][..], |(_, beginning)| beginning);
        let known = self.session.tokens().iter().zip(beginning);
        let same = known.take_while(|(known, id)| known == id).count();
        self.session.rewind(same);
        self.unread = ids.into_iter().skip(same).collect();
        Ok(())
    }

    /// Ends an answer that was stopped or has ended: it is part of the conversation then.
    pub fn end(&mut self) {
        self.unread.clear();
        self.chat.iter_mut().for_each(Chat::end);
    }

    /// Reads some tokens of the prompt, as many as go through the layers together, and returns how
    /// many there were: 0 when all are read.
    ///
    /// # Errors
    /// Those of the decoder.
    pub fn read(&mut self) -> Result<usize, JsError> {
        let n = self.unread.len().min(BATCH);
        let batch: Vec<u32> = self.unread.drain(..n).collect();
        if n > 0 {
            self.session.read(&batch, |_| ControlFlow::Continue(()))?;
        }
        Ok(n)
    }

    /// The text of the next token, which is empty until its characters are whole; nothing when the
    /// text has ended.
    ///
    /// # Errors
    /// Those of the decoder.
    pub fn step(&mut self) -> Result<Option<String>, JsError> {
        let text = match self.session.next_token(&mut self.generation)? {
            // The beginning of a character, perhaps.
            None => self.stream.finish()?,
            Some(id) => {
                let mut text = self.stream.push(id)?.unwrap_or_default();
                if self.generation.stopped().is_some() {
                    text.extend(self.stream.finish()?);
                }
                Some(text)
            }
        };
        if let (Some(chat), Some(text)) = (&mut self.chat, &text) {
            chat.hear(text);
        }
        Ok(text)
    }
}

/// How a text goes on.
struct Draw {
    tokens: usize,
    temperature: f32,
    seed: u32,
}

impl Model {
    /// Prepares what follows `ids`, which are the tokens of a `what`.
    fn begin(&mut self, ids: &[u32], what: &str, draw: Draw) -> Result<(), JsError> {
        let Draw { tokens, temperature, seed } = draw;
        let (read, room) = (ids.len(), self.session.context());
        if read.saturating_add(tokens) > room {
            return Err(JsError::new(&format!(
                "the {what} has {read} tokens, and with {tokens} to generate that is more than \
                 the model's context of {room}"
            )));
        }
        if !(temperature >= 0.0 && temperature.is_finite()) {
            return Err(JsError::new("the temperature must be 0 or more"));
        }
        let (top_k, top_p, seed) = (TOP_K, TOP_P, u64::from(seed));
        let sampler = SamplerOptions { temperature, top_k, top_p, seed };
        self.generation = Generation::new(Sampler::new(sampler), tokens);
        self.stream = TextStream::new(self.session.tokenizer()?.clone());
        Ok(())
    }
}
