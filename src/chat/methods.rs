//! Methods of Python's texts that templates call and that the engine's own set lacks.

use std::fmt;
use std::sync::Arc;

use minijinja::value::{Object, ObjectRepr, ValueKind, from_args};
use minijinja::{Error, ErrorKind, State, Value};
use minijinja_contrib::pycompat;

use super::rewrite::{ITEM, METHODS};

/// Calls a method that a value does not have by itself.
pub(super) fn call(
    state: &mut State<'_, '_>,
    value: &Value,
    name: &str,
    args: &[Value],
) -> Result<Value, Error> {
    if name == ITEM {
        return item(value, args);
    }
    match pycompat::unknown_method_callback(state, value, name, args) {
        Err(e) if e.kind() == ErrorKind::UnknownMethod => match value.as_str() {
            Some(text) => of_text(text, name, args),
            None => Err(e),
        },
        result => result,
    }
}

/// What is under a key; where nothing is and the object has a method of that name, the method.
fn item(value: &Value, args: &[Value]) -> Result<Value, Error> {
    let (key,): (&Value,) = from_args(args)?;
    let found = value.get_item(key)?;
    let name = METHODS.into_iter().find(|name| key.as_str() == Some(name));
    match name.filter(|_| found.is_undefined() && value.kind() == ValueKind::Map) {
        Some(name) => Ok(Value::from_object(Bound(name))),
        None => Ok(found),
    }
}

/// A method that is not called: true, without attributes, and neither a text nor an object.
#[derive(Debug)]
struct Bound(&'static str);

impl Object for Bound {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<built-in method {} of dict object>", self.0)
    }
}

fn of_text(text: &str, name: &str, args: &[Value]) -> Result<Value, Error> {
    if !["removeprefix", "removesuffix", "partition", "rpartition"].contains(&name) {
        return Err(ErrorKind::UnknownMethod.into());
    }
    let (argument,): (&str,) = from_args(args)?;
    let parts = match name {
        "removeprefix" => return Ok(text.strip_prefix(argument).unwrap_or(text).into()),
        "removesuffix" => return Ok(text.strip_suffix(argument).unwrap_or(text).into()),
        _ if argument.is_empty() => {
            return Err(Error::new(ErrorKind::InvalidOperation, "the separator is empty"));
        }
        "partition" => {
            let (before, after) = text.split_once(argument).unwrap_or((text, ""));
            (before, after, before.len() < text.len())
        }
        _ => {
            let (before, after) = text.rsplit_once(argument).unwrap_or(("", text));
            (before, after, after.len() < text.len())
        }
    };
    let (before, after, found) = parts;
    Ok([before, if found { argument } else { "" }, after].into_iter().collect())
}
