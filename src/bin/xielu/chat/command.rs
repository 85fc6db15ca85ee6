//! Lines that are no messages.

use anyhow::bail;

/// What a line that begins with a slash asks for.
#[derive(Debug, PartialEq, Eq)]
pub enum Command<'l> {
    System(&'l str),
    Reset,
    Save(&'l str),
    Load(&'l str),
    Help,
    Exit,
}

pub const HELP: &str = "\
/system TEXT  set the system message; without a text there is none
/reset        begin another conversation, with the same system message
/save FILE    write the conversation, as JSON
/load FILE    go on with a saved conversation
/help         this list
/exit         end, as Ctrl-D does
Ctrl-C stops an answer. A line that ends in a backslash goes on in the next; a text between
\"\"\" and \"\"\" may have many. A message that begins with a slash needs a space before it.";

impl<'l> Command<'l> {
    /// The command in a line; `None` if it is a message.
    pub fn parse(line: &'l str) -> anyhow::Result<Option<Self>> {
        if !line.starts_with('/') {
            return Ok(None);
        }
        let (name, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let rest = rest.trim();
        Ok(Some(match (name, rest) {
            ("/system", text) => Command::System(text),
            ("/save" | "/load", "") => bail!("{name} needs the name of a file"),
            ("/save", path) => Command::Save(path),
            ("/load", path) => Command::Load(path),
            ("/reset", "") => Command::Reset,
            ("/help" | "/?", "") => Command::Help,
            ("/exit" | "/quit" | "/bye", "") => Command::Exit,
            ("/reset" | "/help" | "/exit", _) => bail!("{name} stands alone"),
            _ => bail!("there is no command {name}; /help lists all"),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_with_a_slash_are_commands() {
        let parse = |line| Command::parse(line).unwrap();
        assert_eq!(parse("hello /help"), None);
        assert_eq!(parse(" /help"), None);
        assert_eq!(parse("/system  Be\nshort. "), Some(Command::System("Be\nshort.")));
        assert_eq!(parse("/system"), Some(Command::System("")));
        assert_eq!(parse("/save a b.json"), Some(Command::Save("a b.json")));
        assert_eq!(parse("/exit "), Some(Command::Exit));
        for line in ["/save", "/reset now", "/frobnicate", "/"] {
            assert!(Command::parse(line).is_err(), "{line}");
        }
    }
}
