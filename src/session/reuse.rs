//! What was decoded is kept where the next text begins with the same tokens: the turns of a
//! conversation, each of which repeats all before it.

use std::ops::ControlFlow;

use super::{GenerateOptions, Session, SessionError};

impl Session {
    /// Goes back to `position` (no further than now), forgetting what came after. Read at least
    /// one token before generating.
    pub fn rewind(&mut self, position: usize) {
        self.progress = self.progress.rewound(position);
        self.unread = None;
        self.ids.truncate(self.position());
    }

    /// Reads a text from its beginning. What it has in common with the text before is not read
    /// again: returns how many tokens of `ids` were in the KV cache already. The last one is
    /// always read, so that a generation can follow. `on_batch` is as that of [`Session::read`]. The
    /// KV cache is reserved first, if it was not, with the default context for such a text.
    ///
    /// # Errors
    /// [`SessionError::EmptyPrompt`] if there are no `ids`; [`SessionError::ContextFull`] if they
    /// and one token more do not fit, and everything stays as it was; [`SessionError::Memory`],
    /// [`SessionError::Run`].
    pub fn read_whole(
        &mut self,
        ids: &[u32],
        on_batch: impl FnMut(usize) -> ControlFlow<()>,
    ) -> Result<usize, SessionError> {
        let Some((_, beginning)) = ids.split_last() else { return Err(SessionError::EmptyPrompt) };
        if self.context() == 0 {
            let given = self.options.context;
            let default = || self.context_for(ids.len(), &GenerateOptions::default()).positions;
            self.reserve(given.unwrap_or_else(default))?;
        }
        let context = self.context();
        if ids.len() >= context {
            return Err(SessionError::ContextFull { prompt: ids.len(), tokens: 1, context });
        }
        let known = if self.ids.len() == self.position() { &self.ids[..] } else { &[] };
        let same = known.iter().zip(beginning).take_while(|(known, id)| known == id).count();
        self.rewind(same);
        self.read(ids.get(same..).unwrap_or_default(), on_batch)?;
        Ok(same)
    }

    /// Keeps the tokens that were decoded since `before`: the first of `ids`.
    pub(super) fn remember(&mut self, before: usize, ids: &[u32]) {
        let decoded = self.position().saturating_sub(before);
        if self.ids.len() == before {
            self.ids.extend(ids.iter().take(decoded));
        }
    }
}
