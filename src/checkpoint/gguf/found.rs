//! What every layer's keys need, found in one walk through the metadata.

use super::metadata::Metadata;
use crate::names::Architecture;

/// The activation's scalars, which have no prefix.
pub(super) const SCALARS: [&str; 4] = ["xielu.alpha_p", "xielu.alpha_n", "xielu.beta", "xielu.eps"];

/// Positions of values that every layer needs. 0 is none: a file begins with other things.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Found {
    pub(super) architecture: Option<Architecture>,
    pub(super) block_count: usize,
    /// Of [`SCALARS`].
    pub(super) scalars: [usize; 4],
    /// Which of them are under the architecture's prefix only.
    prefixed: [bool; 4],
}

impl Found {
    pub(super) fn of(metadata: &Metadata<'_>) -> Self {
        let mut found = Found::default();
        let architecture = metadata.clone().find(|(key, _)| *key == "general.architecture");
        let Some(name) = architecture.and_then(|(_, value)| value.as_str()) else { return found };
        found.architecture = Architecture::ALL.into_iter().find(|arch| arch.name() == name);
        let mut pairs = metadata.clone();
        while let Some((_, key, position, _)) = pairs.next_at() {
            let bare = key.strip_prefix(name).and_then(|rest| rest.strip_prefix('.'));
            let (bare, is_prefixed) = (bare.unwrap_or(key), bare.is_some());
            if is_prefixed && bare == "block_count" {
                found.block_count = position;
            }
            let known = SCALARS.iter().zip(&mut found.scalars).zip(&mut found.prefixed);
            for ((&scalar, place), prefixed) in known {
                // llama.cpp's own keys, without a prefix, win.
                if bare == scalar && (!is_prefixed || *place == 0) {
                    (*place, *prefixed) = (position, is_prefixed);
                }
            }
        }
        found
    }

    /// Whether the alphas have keys with an architecture prefix.
    pub(super) const fn has_prefixed_alphas(&self) -> bool {
        let [alpha_p, alpha_n, ..] = self.prefixed;
        self.architecture.is_some() && (alpha_p || alpha_n)
    }
}
