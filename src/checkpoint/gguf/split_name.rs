//! How the files of a split model are called.

use std::borrow::ToOwned as _;
use std::format;
use std::path::{Path, PathBuf};
use std::string::String;

/// The name `PREFIX-00001-of-00003.gguf`, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SplitName {
    /// Where the files are, and what their names begin with.
    prefix: PathBuf,
    /// Which part this is, from 1.
    pub part: usize,
    /// How many parts there are.
    pub count: usize,
}

impl SplitName {
    /// Of a file that is to be split: `model.gguf` and `model` become `model-00001-of-00003.gguf`.
    pub fn new(path: &Path, count: usize) -> Self {
        let bare = path.extension().is_some_and(|extension| extension == "gguf");
        let prefix = if bare { path.with_extension("") } else { path.to_owned() };
        SplitName { prefix, part: 1, count }
    }

    /// The name taken apart; `None` if it is not the name of a part.
    pub fn parse(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_str()?.strip_suffix(".gguf")?;
        let (rest, count) = name.rsplit_once("-of-")?;
        let (prefix, part) = rest.rsplit_once('-')?;
        let number = |digits: &str| {
            let plain = digits.len() >= 5 && digits.bytes().all(|b| b.is_ascii_digit());
            digits.parse::<usize>().ok().filter(|&number| plain && number > 0)
        };
        let (part, count) = (number(part)?, number(count)?);
        Some(SplitName { prefix: path.with_file_name(prefix), part, count })
    }

    /// The path of part `part`, from 1.
    pub fn path(&self, part: usize) -> PathBuf {
        let mut name = self.prefix.file_name().unwrap_or_default().to_owned();
        name.push(self.suffix(part));
        self.prefix.with_file_name(name)
    }

    /// How the name of part `part` ends.
    pub fn suffix(&self, part: usize) -> String {
        format!("-{part:05}-of-{:05}.gguf", self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_apart_and_put_together() {
        let name = SplitName::parse(Path::new("a-b/m-Q4-of-x-00002-of-00010.gguf")).unwrap();
        assert_eq!((name.part, name.count), (2, 10));
        assert_eq!(name.path(10), Path::new("a-b/m-Q4-of-x-00010-of-00010.gguf"));
        for path in ["a/model.gguf", "a/model"] {
            let name = SplitName::new(Path::new(path), 3);
            assert_eq!(name.path(1), Path::new("a/model-00001-of-00003.gguf"));
            assert_eq!(SplitName::parse(&name.path(1)), Some(name));
        }
        let dotted = SplitName::new(Path::new("model.v1.1"), 2);
        assert_eq!(dotted.path(2), Path::new("model.v1.1-00002-of-00002.gguf"));
        for other in [
            "model.gguf",
            "-of-.gguf",
            "m-1-of-2.gguf",
            "m-00000-of-00002.gguf",
            "m-00001-of-00002.safetensors",
            "m-00001-of-+0002.gguf",
            "m_00001-of-00002.gguf",
        ] {
            assert_eq!(SplitName::parse(Path::new(other)), None, "{other}");
        }
    }
}
