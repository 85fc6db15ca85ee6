//! JSON as Python's `json.dumps` writes it, which is what templates get in transformers.

use core::fmt::Write as _;
use std::borrow::ToOwned as _;
use std::format;
use std::string::{String, ToString as _};
use std::vec::Vec;

use minijinja::value::ValueKind;
use minijinja::{Error, ErrorKind, Value};

/// Values in each other at most: templates can build deeper ones, and writing them recurses.
const DEEPEST: usize = 128;

/// The arguments of `json.dumps` that templates may give.
#[derive(Clone, Debug)]
pub(super) struct Style {
    /// Characters beyond ASCII as `\u` and four hexadecimal digits.
    pub(super) ensure_ascii: bool,
    /// What a line begins with for each level; `None` writes one line.
    pub(super) indent: Option<String>,
    /// What separates items, and keys from values.
    pub(super) separators: (String, String),
    /// Objects in the order of their keys.
    pub(super) sort_keys: bool,
}

impl Default for Style {
    fn default() -> Self {
        let separators = (", ".into(), ": ".into());
        Style { ensure_ascii: false, indent: None, separators, sort_keys: false }
    }
}

/// The JSON of `value`. `charge` is told of the bytes of each piece before it is written, and may
/// refuse more: a small value that refers to itself often makes a long text.
pub(super) fn to_json(
    value: &Value,
    style: &Style,
    charge: impl Fn(usize) -> Result<(), Error>,
) -> Result<String, Error> {
    let mut writer = Writer { out: String::new(), style, charge };
    writer.value(value, 0)?;
    Ok(writer.out)
}

struct Writer<'s, F> {
    out: String,
    style: &'s Style,
    charge: F,
}

impl<F: Fn(usize) -> Result<(), Error>> Writer<'_, F> {
    fn value(&mut self, value: &Value, depth: usize) -> Result<(), Error> {
        if depth > DEEPEST {
            return Err(Error::new(ErrorKind::InvalidOperation, "values too deep for JSON"));
        }
        match value.kind() {
            ValueKind::String => self.text(value.as_str().unwrap_or_default()),
            ValueKind::Seq | ValueKind::Iterable => self.items(value, depth),
            ValueKind::Map => self.object(value, depth),
            _ => {
                let word = scalar(value).ok_or_else(|| {
                    let problem = format!("{} is not JSON serializable", value.kind());
                    Error::new(ErrorKind::InvalidOperation, problem)
                })?;
                self.piece(&word)
            }
        }
    }

    fn items(&mut self, value: &Value, depth: usize) -> Result<(), Error> {
        let mut first = true;
        self.piece("[")?;
        for item in value.try_iter()? {
            self.separate(&mut first, depth + 1)?;
            self.value(&item, depth + 1)?;
        }
        self.close("]", first, depth)
    }

    fn object(&mut self, value: &Value, depth: usize) -> Result<(), Error> {
        let mut pairs = Vec::new();
        for key in value.try_iter()? {
            let name = match key.as_str() {
                Some(name) => name.to_owned(),
                None => scalar(&key).ok_or_else(|| {
                    Error::new(ErrorKind::InvalidOperation, "a key of an object is no text")
                })?,
            };
            pairs.push((name, value.get_item(&key)?));
        }
        if self.style.sort_keys {
            pairs.sort_by(|(a, _), (b, _)| a.cmp(b));
        }
        let mut first = true;
        let style = self.style;
        self.piece("{")?;
        for (name, value) in &pairs {
            self.separate(&mut first, depth + 1)?;
            self.text(name)?;
            self.piece(&style.separators.1)?;
            self.value(value, depth + 1)?;
        }
        self.close("}", first, depth)
    }

    fn separate(&mut self, first: &mut bool, depth: usize) -> Result<(), Error> {
        let style = self.style;
        if !core::mem::take(first) {
            self.piece(&style.separators.0)?;
        }
        self.line(depth)
    }

    fn close(&mut self, end: &str, empty: bool, depth: usize) -> Result<(), Error> {
        if !empty {
            self.line(depth)?;
        }
        self.piece(end)
    }

    /// A new line, if there are lines.
    fn line(&mut self, depth: usize) -> Result<(), Error> {
        let Some(indent) = &self.style.indent else { return Ok(()) };
        self.piece("\n")?;
        (0..depth).try_for_each(|_| self.piece(indent))
    }

    fn text(&mut self, text: &str) -> Result<(), Error> {
        (self.charge)(text.len())?;
        self.out.push('"');
        for c in text.chars() {
            match c {
                '"' => self.out += "\\\"",
                '\\' => self.out += "\\\\",
                '\n' => self.out += "\\n",
                '\r' => self.out += "\\r",
                '\t' => self.out += "\\t",
                '\u{8}' => self.out += "\\b",
                '\u{c}' => self.out += "\\f",
                c if c < ' ' || (self.style.ensure_ascii && !(' '..='~').contains(&c)) => {
                    for unit in c.encode_utf16(&mut [0; 2]) {
                        // Writing to a String does not fail.
                        let _ = write!(self.out, "\\u{unit:04x}");
                    }
                }
                c => self.out.push(c),
            }
        }
        self.out.push('"');
        Ok(())
    }

    fn piece(&mut self, text: &str) -> Result<(), Error> {
        (self.charge)(text.len())?;
        self.out += text;
        Ok(())
    }
}

/// A value that is no text and has no parts; `None` if JSON has none such.
fn scalar(value: &Value) -> Option<String> {
    match value.kind() {
        ValueKind::None => Some("null".into()),
        ValueKind::Bool => Some(if value.is_true() { "true" } else { "false" }.into()),
        ValueKind::Number if value.is_integer() => Some(value.to_string()),
        ValueKind::Number => f64::try_from(value.clone()).ok().map(float),
        _ => None,
    }
}

/// A number that is neither whole nor infinite as a template prints it; `None` if `value` is none.
pub(super) fn printed(value: &Value) -> Option<String> {
    let is_float = value.kind() == ValueKind::Number && !value.is_integer();
    let number = f64::try_from(value.clone()).ok().filter(|number| is_float && number.is_finite());
    number.map(float)
}

/// A number as Python's `repr` writes it: the shortest digits that give it back, with an exponent
/// below 1e-4 and from 1e16 on.
fn float(value: f64) -> String {
    if value.is_nan() {
        return "NaN".into();
    }
    if value.is_infinite() {
        return if value > 0.0 { "Infinity" } else { "-Infinity" }.into();
    }
    let scientific = format!("{value:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if value != 0.0 && !(-4..16).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{digits}e{sign}{:02}", exponent.unsigned_abs());
    }
    // With a point even where the number is whole.
    format!("{value:?}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_pythons() {
        for (value, expected) in [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (1.5, "1.5"),
            (100.0, "100.0"),
            (0.0001, "0.0001"),
            (0.00001234, "1.234e-05"),
            (123456789012345680.0, "1.2345678901234568e+17"),
            (1e15, "1000000000000000.0"),
            (1e16, "1e+16"),
            (9007199254740993.0, "9007199254740992.0"),
            (5e-324, "5e-324"),
            (f64::INFINITY, "Infinity"),
            (f64::NEG_INFINITY, "-Infinity"),
            (f64::NAN, "NaN"),
        ] {
            assert_eq!(float(value), expected);
        }
    }

    #[test]
    fn a_refusal_to_pay_ends_the_text() {
        let mut value = Value::from(std::vec!["x"; 2]);
        for _ in 0..40 {
            value = [value.clone(), value].into_iter().collect();
        }
        let paid = core::cell::Cell::new(0);
        let result = to_json(&value, &Style::default(), |bytes| {
            paid.set(paid.get() + bytes);
            if paid.get() < 1000 { Ok(()) } else { Err(ErrorKind::OutOfFuel.into()) }
        });
        assert_eq!(result.unwrap_err().kind(), ErrorKind::OutOfFuel);
    }
}
