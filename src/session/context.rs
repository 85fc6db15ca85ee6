//! The context of a session that is not given one.

use super::memory::{DefaultContext, check_memory, default_context};
use super::{Session, SessionError};

impl Session {
    /// The context that holds `needed` positions where none is given; see [`default_context`].
    pub fn default_context(&self, needed: usize) -> DefaultContext {
        let o = &self.options;
        let checkpoint = self.view().checkpoint();
        default_context(checkpoint, self.config(), &o.decoder(), o.kv_type, needed)
    }

    /// Whether the memory for `context` positions is free, without taking it.
    ///
    /// # Errors
    /// [`SessionError::Memory`] if the system says that it is not.
    pub fn check_memory(&self, context: usize) -> Result<(), SessionError> {
        #[cfg(feature = "cuda")]
        if let Some(device) = &self.device {
            return super::device::check(device.check(&self.weights.model(), context), context);
        }
        check_memory(self.config(), &self.options, context)
    }
}
