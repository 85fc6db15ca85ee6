//! In a build without feature `grammar` no text follows one.

use std::string::String;
use std::vec::Vec;

use super::{Grammar, GrammarError};
use crate::tokenizer::Tokenizer;

/// There is none.
pub enum Vocabulary {}

/// There is none.
pub enum Constraint {}

impl Vocabulary {
    pub fn new(_: &Tokenizer, _logits: usize) -> Result<Self, GrammarError> {
        Err(GrammarError::NotBuilt)
    }

    pub fn constraint(&self, _: &Grammar) -> Result<Constraint, GrammarError> {
        match *self {}
    }
}

impl Constraint {
    pub fn forbid(&mut self, _logits: &mut [f32]) -> Result<(), GrammarError> {
        match *self {}
    }

    pub fn accept(&mut self, _id: u32) -> Result<(), GrammarError> {
        match *self {}
    }

    pub fn warnings(&mut self) -> Vec<String> {
        match *self {}
    }
}
