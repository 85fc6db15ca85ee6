//! Importance matrices: how much each column of a model's matrices matters.
//!
//! A column is multiplied with one value of every token's activations. The mean of the squares of
//! that value over a text weighs the errors that quantizing the column makes
//! ([`encode_row_weighted`](crate::quant::encode_row_weighted)). `Session::importance` adds the squares
//! up, [`ImportanceMatrix`] is the file, in the GGUF format of llama.cpp's `llama-imatrix`.

mod file;

use std::collections::BTreeMap;
use std::string::String;
use std::vec::Vec;

pub use file::ImatrixError;

/// An importance matrix: for each matrix of a model, by its GGUF name, sums of squares.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ImportanceMatrix {
    entries: BTreeMap<String, Entry>,
    /// Names of the texts that were read.
    pub datasets: Vec<String>,
    /// How many chunks of text were read.
    pub chunks: u32,
    /// Tokens of a chunk.
    pub chunk_size: u32,
}

/// What is known of one matrix.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// For each column, the sum of the squares of what it was multiplied with. A matrix for each of
    /// several experts has as many columns more.
    pub sums: Vec<f32>,
    /// How many activations were added up; one number for each expert.
    pub counts: Vec<f32>,
}

impl ImportanceMatrix {
    /// Adds what is known of the matrix `name`, in place of what was.
    pub fn insert(&mut self, name: String, entry: Entry) {
        self.entries.insert(name, entry);
    }

    /// The matrices and what is known of them, by name.
    pub fn entries(&self) -> impl ExactSizeIterator<Item = (&str, &Entry)> {
        self.entries.iter().map(|(name, entry)| (name.as_str(), entry))
    }

    /// The mean of the squares for each column of the matrix `name`: weights of its rows. What was
    /// never multiplied counts as 1.
    pub fn weights(&self, name: &str) -> Option<Vec<f32>> {
        let Entry { sums, counts } = self.entries.get(name)?;
        let columns = sums.len().checked_div(counts.len()).unwrap_or(0).max(1);
        let means = sums.chunks(columns).zip(counts).flat_map(|(sums, &count)| {
            sums.iter().map(move |&sum| if count > 0.0 { sum / count } else { 1.0 })
        });
        Some(means.collect())
    }
}
