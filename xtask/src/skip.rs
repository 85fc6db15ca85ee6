//! Steps whose tools are not installed say so, and fail where the tool is required.

use std::env;

use crate::shell::Result;

/// What `XIELU_REQUIRE` can name, and what needs it.
const NAMES: &[(&str, &str)] = &[("cargo-deny", "cargo-deny and its database of advisories")];

/// Says that `what` was not done because `name` is missing; an error where that is required.
pub fn skip(name: &str, what: &str, why: &str) -> Result {
    assert!(NAMES.iter().any(|(known, _)| *known == name), "{name} is not documented");
    if required(&env::var("XIELU_REQUIRE").unwrap_or_default(), name) {
        return Err(format!("{what}: {why}, and XIELU_REQUIRE names {name}"));
    }
    println!("SKIPPED: {what} ({why})");
    Ok(())
}

/// Whether a list as `cc,nightly` has the name.
fn required(list: &str, name: &str) -> bool {
    list.split(',').any(|one| one.trim() == name)
}

pub fn help() -> String {
    let mut text = String::from(
        "What needs a tool that is not installed prints a line that begins with SKIPPED.\n\
         XIELU_REQUIRE=NAME,NAME... makes it fail instead:\n",
    );
    for (name, what) in NAMES {
        text += &format!("  {name:<13} {what}\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::required;

    #[test]
    fn names_are_separated_by_commas() {
        assert!(required("cc,nightly", "cc") && required("cc, nightly", "nightly"));
        assert!(!required("cc", "c") && !required("", "cc"));
    }
}
