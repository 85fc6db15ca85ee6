//! An importance matrix of a text.

use std::ops::ControlFlow;
use std::vec::Vec;

use super::{Collector, Session, SessionError};

impl Session {
    /// Reads `windows` of a text, each from the beginning of the context, and collects what the
    /// model's matrices are multiplied with. `on_window` is told what is known after each window and
    /// how many were read to the end, and may stop there. Returns the latter number too.
    ///
    /// A window in which a layer gives values that are no numbers is left at that place; see
    /// [`Collector::batch`]. The output head and the embedding are not looked at, as in llama.cpp.
    ///
    /// # Errors
    /// [`SessionError::Memory`], [`SessionError::Run`].
    pub fn importance(
        &mut self,
        windows: &[Vec<u32>],
        mut on_window: impl FnMut(&Collector, usize) -> ControlFlow<()>,
    ) -> Result<(Collector, usize), SessionError> {
        let longest = windows.iter().map(Vec::len).max().unwrap_or(0);
        if self.context() < longest {
            self.reserve(longest)?;
        }
        let batch = self.options.batch.max(1);
        self.reset();
        let collected = self.with_decoder(|decoder| {
            let (mut collector, mut whole) = (Collector::default(), 0);
            for window in windows {
                decoder.rewind(0);
                let mut read = true;
                for tokens in window.chunks(batch) {
                    read = collector.batch(decoder, tokens)?;
                    if !read {
                        break;
                    }
                }
                whole += usize::from(read);
                if on_window(&collector, whole).is_break() {
                    break;
                }
            }
            Ok::<_, crate::Error>((collector, whole))
        });
        self.reset();
        Ok(collected??)
    }
}
