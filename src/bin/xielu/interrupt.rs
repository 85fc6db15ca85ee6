//! Ctrl-C: a count that loops look at, so that they stop between two steps and clean up.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context as _, bail};

/// How often Ctrl-C was pressed.
static PRESSED: AtomicU32 = AtomicU32::new(0);

/// From now on Ctrl-C (and a termination signal) is counted; the second one ends the program.
pub fn catch() -> anyhow::Result<()> {
    catch_times(2)
}

/// As [`catch`], with the number of the one that ends the program.
pub fn catch_times(last: u32) -> anyhow::Result<()> {
    ctrlc::set_handler(move || {
        let times = PRESSED.fetch_add(1, Ordering::Relaxed) + 1;
        if times >= last {
            std::process::exit(130);
        }
        if times > 1 {
            tell!("stopping; once more ends the program");
        }
    })
    .context("Ctrl-C cannot be caught")
}

/// Whether Ctrl-C was pressed since [`catch`].
pub fn requested() -> bool {
    PRESSED.load(Ordering::Relaxed) > 0
}

/// Whether Ctrl-C was pressed, and forgets that: for programs that go on after it.
pub fn take() -> bool {
    PRESSED.swap(0, Ordering::Relaxed) > 0
}

/// Whether a loop that looks at it may go on.
pub fn go_on() -> ControlFlow<()> {
    if requested() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
}

/// An error if Ctrl-C was pressed.
pub fn check() -> anyhow::Result<()> {
    if requested() {
        bail!("interrupted");
    }
    Ok(())
}
