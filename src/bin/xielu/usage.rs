//! Command lines that cannot be parsed.

use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, Error, ErrorKind};

/// The exit code of a wrong command line.
const USAGE: u8 = 2;

/// Prints what is wrong, or the help that was asked for.
pub fn report(error: &Error) -> ExitCode {
    if let (ErrorKind::UnknownArgument, Some(option)) = (error.kind(), option(error)) {
        let similar = match error.get(ContextKind::SuggestedArg) {
            Some(ContextValue::String(name)) => format!("; a similar one is {name}"),
            _ => String::new(),
        };
        tell!("error: there is no option {option}{similar}; --help lists all");
        return ExitCode::from(USAGE);
    }
    if let (ErrorKind::InvalidValue, Some((option, value, known))) = (error.kind(), choice(error)) {
        tell!("error: {option} does not know {value}; it takes {}", known.join(", "));
        return ExitCode::from(USAGE);
    }
    // Nothing can be said where this fails.
    let _ = error.print();
    if error.use_stderr() { ExitCode::from(USAGE) } else { ExitCode::SUCCESS }
}

/// The option that is not known. (A word too many is not an option: clap tells of the usage.)
fn option(error: &Error) -> Option<&str> {
    match error.get(ContextKind::InvalidArg)? {
        ContextValue::String(name) if name.starts_with('-') => Some(name),
        _ => None,
    }
}

/// An option of several choices, the value that is none of them, and the choices.
fn choice(error: &Error) -> Option<(&str, &str, &[String])> {
    match (
        error.get(ContextKind::InvalidArg)?,
        error.get(ContextKind::InvalidValue)?,
        error.get(ContextKind::ValidValue)?,
    ) {
        (
            ContextValue::String(option),
            ContextValue::String(value),
            ContextValue::Strings(known),
        ) if !value.is_empty() => {
            let option = option.split_once(' ').map_or(option.as_str(), |(name, _)| name);
            let option = option.trim_matches(['[', ']']);
            Some((option, value, known))
        }
        _ => None,
    }
}
