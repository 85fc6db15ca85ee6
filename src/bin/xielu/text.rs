//! Texts from files and from standard input.

use std::io::Read as _;
use std::path::Path;

use anyhow::{Context as _, bail};

/// What stands for standard input.
const STDIN: &str = "-";

/// The text in the file at `path`, or standard input if that is `-`; `what` it is, for errors.
/// It must be UTF-8; a byte order mark is no part of it.
pub fn read(path: &Path, what: &str) -> anyhow::Result<String> {
    let (bytes, shown) = if path.as_os_str() == STDIN {
        let mut bytes = Vec::new();
        std::io::stdin()
            .read_to_end(&mut bytes)
            .with_context(|| format!("cannot read the {what}"))?;
        (bytes, "standard input".to_owned())
    } else {
        let shown = path.display().to_string();
        let bytes =
            std::fs::read(path).with_context(|| format!("cannot read the {what} {shown}"))?;
        (bytes, shown)
    };
    decode(bytes).with_context(|| format!("cannot use the {what} in {shown}"))
}

fn decode(bytes: Vec<u8>) -> anyhow::Result<String> {
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        bail!("it is UTF-16; save it as UTF-8");
    }
    let text = match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(e) => {
            let at = e.utf8_error().valid_up_to();
            let byte = e.as_bytes().get(at).copied().unwrap_or_default();
            bail!("it is not UTF-8 (byte {at} is 0x{byte:02x}); save it as UTF-8");
        }
    };
    match text.strip_prefix('\u{feff}') {
        Some(rest) => {
            tell!("note: the byte order mark at the beginning of the text is left out");
            Ok(rest.to_owned())
        }
        None => Ok(text),
    }
}
