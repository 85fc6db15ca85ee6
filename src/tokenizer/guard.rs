//! Calls into the `tokenizers` crate: what it panics at becomes an error.

use std::cell::Cell;
use std::format;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::string::{String, ToString as _};
use std::sync::Once;

use super::TokenizerError;

std::thread_local! {
    /// Whether this thread's panics are caught and told as errors.
    static CAUGHT: Cell<bool> = const { Cell::new(false) };
}

/// Calls into the crate. Its errors and its panics are told as one line that begins with `what`.
pub(crate) fn guarded<T>(
    what: &str,
    call: impl FnOnce() -> tokenizers::Result<T>,
) -> Result<T, TokenizerError> {
    be_silent_when_caught();
    let before = CAUGHT.replace(true);
    // What a panic leaves half done is the crate's own: at worst the next call fails too.
    let result = catch_unwind(AssertUnwindSafe(call));
    CAUGHT.set(before);
    match result {
        Ok(result) => result.map_err(|e| TokenizerError::of(what, &e)),
        Err(panic) => {
            let text = panic.downcast_ref::<&str>().map(|text| text.to_string());
            let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
            let text = text.unwrap_or_else(|| "no reason given".into());
            Err(TokenizerError::of(
                &format!("{what}: the tokenizers library gave up"),
                &text.into(),
            ))
        }
    }
}

/// Keeps the message and the backtrace of a panic that is caught above from being printed; all
/// others are printed as before.
fn be_silent_when_caught() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let printing = std::panic::take_hook();
        std::panic::set_hook(std::boxed::Box::new(move |info| {
            if !CAUGHT.get() {
                printing(info);
            }
        }));
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_error_and_the_next_call_works() {
        let error = guarded("its decoder fails", || -> tokenizers::Result<()> {
            panic!("one\n  two");
        });
        let text = error.unwrap_err().to_string();
        assert_eq!(text, "its decoder fails: the tokenizers library gave up: one two");
        assert_eq!(guarded("it works", || Ok(7)), Ok(7));
        assert!(!CAUGHT.get());
    }
}
