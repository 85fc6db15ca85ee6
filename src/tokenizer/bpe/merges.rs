//! Which two tokens merge into which, and which first.

use super::hash::{Filling, Hash, Table, Taken};
use super::keys::{MERGES, bad};
use super::vocabulary::Vocabulary;
use crate::Error;
use crate::checkpoint::gguf::Array;

/// Left, right, and what becomes of them.
pub(super) type Rule = [u32; 3];

/// The merges of a vocabulary, by rank.
#[derive(Clone, Copy, Debug)]
pub(super) struct Merges<'s> {
    rules: &'s [Rule],
    table: Table<'s>,
}

impl<'s> Merges<'s> {
    /// Reads the strings of `merges` into memory for one rule each, and for the table.
    pub(super) fn new(
        merges: Option<&Array<'_>>,
        vocabulary: &Vocabulary<'_, '_>,
        rules: &'s mut [Rule],
        slots: &'s mut [u32],
    ) -> Result<Self, Error> {
        let bytes = merges.map(Array::as_bytes).unwrap_or_default();
        let mut offset = 0;
        for rule in rules.iter_mut() {
            let merge = super::vocabulary::text_at(bytes, offset);
            let merge = merge.ok_or(Error::OutOfRange("merges"))?;
            offset += size_of::<u64>() + merge.len();
            *rule = read(merge, vocabulary)?;
        }
        let mut filling = Filling::new(slots);
        let rules: &'s [Rule] = rules;
        for (rank, rule) in (0u32..).zip(rules) {
            let [left, right, _] = *rule;
            let hash = Hash::pair(left, right);
            let same = |other| is_of(rules, other, left, right);
            match filling.enter(hash, rank, same) {
                Ok(()) => {}
                // The last one counts, as in the `tokenizers` crate.
                Err(Taken::By(_)) => filling.replace(hash, rank, same),
                Err(Taken::Crowded) => {
                    return Err(bad(MERGES, "has pairs that were chosen to collide"));
                }
            }
        }
        Ok(Merges { rules, table: filling.done() })
    }

    /// The rank of the merge of two tokens: the lower, the earlier.
    pub(super) fn rank(&self, left: u32, right: u32) -> Option<u32> {
        self.table.find(Hash::pair(left, right), |rank| is_of(self.rules, rank, left, right))
    }

    /// What a merge makes.
    pub(super) fn product(&self, rank: u32) -> Option<u32> {
        self.rules.get(usize::try_from(rank).ok()?).map(|[_, _, product]| *product)
    }
}

fn is_of(rules: &[Rule], rank: u32, left: u32, right: u32) -> bool {
    let rule = usize::try_from(rank).ok().and_then(|rank| rules.get(rank));
    rule.is_some_and(|[l, r, _]| (*l, *r) == (left, right))
}

/// Two tokens and a space between them. The first token of a byte-level vocabulary has none.
fn read(merge: &[u8], vocabulary: &Vocabulary<'_, '_>) -> Result<Rule, Error> {
    let mut parts = merge.splitn(2, |&byte| byte == b' ');
    let (Some(left), Some(right)) = (parts.next(), parts.next()) else {
        return Err(bad(MERGES, "has a merge of one part"));
    };
    let ids = [(left, &[][..]), (right, &[][..]), (left, right)];
    let mut rule = [0; 3];
    for (id, (left, right)) in rule.iter_mut().zip(ids) {
        let found = vocabulary.of_parts(left, right);
        *id = found.ok_or(bad(MERGES, "has a merge whose tokens are not in the vocabulary"))?;
    }
    Ok(rule)
}
