//! What a step is computed from.

use std::vec::Vec;

use super::TrainError;

/// Token sequences of one length, with what follows each token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Token ids, `[sequences, length]`, row by row.
    pub inputs: Vec<u32>,
    /// The id that follows each token of `inputs`, in the same order.
    pub targets: Vec<u32>,
    /// Number of sequences.
    pub sequences: usize,
    /// Tokens of a sequence.
    pub length: usize,
}

impl Batch {
    /// Number of predictions.
    pub fn tokens(&self) -> usize {
        self.sequences * self.length
    }

    /// Its sequences, as batches of one.
    pub(super) fn split(&self) -> Vec<Batch> {
        let length = self.length.max(1);
        let rows = self.inputs.chunks(length).zip(self.targets.chunks(length));
        let one = |(inputs, targets): (&[u32], &[u32])| Batch {
            inputs: inputs.into(),
            targets: targets.into(),
            sequences: 1,
            length: self.length,
        };
        rows.map(one).collect()
    }

    /// Checks lengths and that every id is in the vocabulary.
    ///
    /// # Errors
    /// [`TrainError::Data`] saying what is wrong.
    pub fn validate(&self, vocab_size: usize) -> Result<(), TrainError> {
        let tokens = self.sequences.checked_mul(self.length).filter(|&n| n > 0);
        if tokens != Some(self.inputs.len()) || tokens != Some(self.targets.len()) {
            return Err(TrainError::Data(std::format!(
                "a batch of {} x {} tokens holds {} inputs and {} targets",
                self.sequences,
                self.length,
                self.inputs.len(),
                self.targets.len()
            )));
        }
        let beyond = |id: &&u32| usize::try_from(**id).map_or(true, |id| id >= vocab_size);
        match self.inputs.iter().chain(&self.targets).find(beyond) {
            Some(id) => Err(TrainError::Data(std::format!(
                "token id {id} is beyond the vocabulary of {vocab_size}"
            ))),
            None => Ok(()),
        }
    }
}

/// A source of batches that is a function of the step: the same step gives the same batch, so that
/// a resumed run sees what the uninterrupted one would have.
pub trait Batches {
    /// The batch of micro step `micro` (from 0) of optimiser step `step` (from 0).
    ///
    /// # Errors
    /// [`TrainError`], if the data cannot be read.
    fn next(&self, step: u64, micro: u32) -> Result<Batch, TrainError>;
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;
    use std::vec;

    #[test]
    fn batches_that_do_not_add_up_are_refused() {
        let good = Batch { inputs: vec![0, 1], targets: vec![1, 9], sequences: 1, length: 2 };
        good.validate(10).unwrap();
        assert_eq!(good.tokens(), 2);
        let message = good.validate(9).unwrap_err().to_string();
        assert!(message.contains("token id 9 is beyond the vocabulary of 9"), "{message}");
        for bad in [
            Batch { length: 1, ..good.clone() },
            Batch { targets: vec![1], ..good.clone() },
            Batch { inputs: vec![], targets: vec![], sequences: 0, length: 0 },
            Batch { sequences: usize::MAX, length: 2, ..good.clone() },
        ] {
            assert!(matches!(bad.validate(10), Err(TrainError::Data(_))));
        }
    }
}
