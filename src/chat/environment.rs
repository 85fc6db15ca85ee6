//! Jinja's language as transformers sets it up for chat templates.

use std::string::String;
use std::vec::Vec;

use jiff::Zoned;
use jiff::fmt::strtime;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Kwargs, Rest, ValueKind};
use minijinja::{AutoEscape, Environment, Error, ErrorKind, State, Value, escape_formatter};

use super::ChatError;
use super::error::Raised;
use super::methods;
use super::to_json::{Style, printed, to_json};

/// What one rendering may cost: a step is 1, and so are 64 bytes of text that are copied. A
/// conversation of 4 MB that a template copies six times costs a tenth of that.
const FUEL: u64 = 4_000_000;
/// Levels of JSON are indented by at most so many characters.
const WIDEST_INDENT: usize = 64;

/// An environment without templates.
pub(super) fn new() -> Result<Environment<'static>, ChatError> {
    let mut environment = Environment::new();
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
    environment.set_syntax(syntax.map_err(|e| ChatError::syntax(&e))?);
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    environment.set_fuel(Some(FUEL));
    environment.set_formatter(|out, state, value| match printed(value) {
        Some(text) => Ok(out.write_str(&text)?),
        None => escape_formatter(out, state, value),
    });
    environment.set_unknown_method_callback(methods::call);
    environment.add_filter("tojson", tojson);
    environment.add_test("sequence", is_sequence);
    environment.add_function("raise_exception", raise_exception);
    environment.add_function("strftime_now", strftime_now);
    Ok(environment)
}

/// Fails with a message: how a template refuses a conversation.
fn raise_exception(message: &Value) -> Result<Value, Error> {
    let raised = Raised(std::string::ToString::to_string(message));
    Err(Error::new(ErrorKind::InvalidOperation, raised.0.clone()).with_source(raised))
}

/// The time here and now, as `strftime` writes it.
fn strftime_now(format: &str) -> Result<String, Error> {
    strtime::format(format, &Zoned::now())
        .map_err(|e| Error::new(ErrorKind::InvalidOperation, std::string::ToString::to_string(&e)))
}

/// Whether a value has a length and items by index, as Python asks: texts and objects too.
fn is_sequence(value: &Value) -> bool {
    let kinds = [ValueKind::Undefined, ValueKind::Seq, ValueKind::String, ValueKind::Map];
    kinds.contains(&value.kind())
}

/// `tojson(value, ensure_ascii, indent, separators, sort_keys)`, as transformers has it.
fn tojson(
    state: &State<'_, '_>,
    value: &Value,
    positional: Rest<Value>,
    named: Kwargs,
) -> Result<String, Error> {
    const NAMES: [&str; 4] = ["ensure_ascii", "indent", "separators", "sort_keys"];
    if positional.len() > NAMES.len() {
        return Err(ErrorKind::TooManyArguments.into());
    }
    let argument = |place: usize| -> Result<Option<Value>, Error> {
        let named = named.get::<Option<Value>>(NAMES[place])?;
        Ok(positional.get(place).cloned().or(named).filter(|value| !value.is_none()))
    };
    let mut style = Style {
        ensure_ascii: argument(0)?.is_some_and(|value| value.is_true()),
        indent: argument(1)?.map(|value| indent(&value)).transpose()?,
        sort_keys: argument(3)?.is_some_and(|value| value.is_true()),
        ..Style::default()
    };
    if style.indent.is_some() {
        style.separators.0 = ",".into();
    }
    if let Some(separators) = argument(2)? {
        style.separators = pair(&separators)?;
    }
    named.assert_all_used()?;
    to_json(value, &style, |bytes| state.consume_fuel(1 + bytes as u64 / 64))
}

/// The text that a level is indented by: so many spaces, or the text itself.
fn indent(value: &Value) -> Result<String, Error> {
    let text = match value.as_str() {
        Some(text) => text.into(),
        None if value.kind() == ValueKind::Bool => " ".repeat(usize::from(value.is_true())),
        None => " ".repeat(i64::try_from(value.clone())?.clamp(0, i64::from(u16::MAX)) as usize),
    };
    if text.len() > WIDEST_INDENT {
        return Err(Error::new(ErrorKind::InvalidOperation, "tojson's indent is too wide"));
    }
    Ok(text)
}

/// The separator of items and the one of keys.
fn pair(value: &Value) -> Result<(String, String), Error> {
    let wrong = || Error::new(ErrorKind::InvalidOperation, "tojson's separators are not two texts");
    let texts = value.try_iter()?.map(|text| text.as_str().map(String::from));
    let texts = texts.collect::<Option<Vec<_>>>().ok_or_else(wrong)?;
    <[String; 2]>::try_from(texts).map(|[items, keys]| (items, keys)).map_err(|_| wrong())
}
