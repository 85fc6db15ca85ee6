//! How large the texts of a model may be that are read whole: bounded, so that no file takes all
//! of a machine's memory, and raised by whoever has a larger one.

/// Environment variable: a bound for all such files, in MiB.
pub(crate) const VARIABLE: &str = "XIELU_MAX_TEXT_MIB";

/// The bound for a file of which usually at most `bytes` are read.
pub(crate) fn raised(bytes: u64) -> u64 {
    let asked = std::env::var(VARIABLE).ok().and_then(|mib| mib.trim().parse::<u64>().ok());
    asked.map_or(bytes, |mib| mib.saturating_mul(1 << 20).max(bytes))
}
