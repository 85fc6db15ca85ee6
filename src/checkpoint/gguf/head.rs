//! A file without the data of its tensors: what is read where weights stay on a device.

use super::{Gguf, GgufError, TensorInfo};

/// The head of a GGUF file: metadata and the descriptions of its tensors, without their data.
#[derive(Clone, Debug)]
pub struct GgufHead<'w> {
    gguf: Gguf<'w>,
    data_start: u64,
}

impl<'w> GgufHead<'w> {
    /// Checks `bytes`, the beginning of a file of `file_len` bytes, as [`Gguf::parse`] checks a
    /// whole one. What follows the head in `bytes` does not matter.
    ///
    /// # Errors
    /// [`GgufError`]: the first thing that is wrong, and where; the head's end, if `bytes` ends
    /// before it.
    pub fn parse(bytes: &'w [u8], file_len: u64) -> Result<Self, GgufError> {
        let gguf = Gguf::parse_head(bytes, file_len)?;
        Ok(GgufHead { data_start: gguf.data_start(), gguf: Gguf { data: &[], ..gguf } })
    }

    /// The metadata: configuration, activation scalars, vocabulary. It has no tensor's data.
    pub const fn gguf(&self) -> &Gguf<'w> {
        &self.gguf
    }

    /// Where the tensors' data begins, in bytes from the start of the file.
    pub const fn data_start(&self) -> u64 {
        self.data_start
    }

    /// Where the data of a tensor begins, in bytes from the start of the file.
    pub const fn offset_of(&self, info: &TensorInfo<'_>) -> u64 {
        // No overflow: the file was checked to reach that far.
        self.data_start.saturating_add(info.offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::{Checkpoint, Role};
    use crate::error::GgufErrorKind;

    static BUNDLED: &[u8] = include_bytes!("../../../models/tiny-Q8_0.gguf");

    #[test]
    fn a_head_says_where_every_tensor_is() {
        let whole = Gguf::parse(BUNDLED).unwrap();
        let start = BUNDLED.len() - whole.data.len();
        let head = GgufHead::parse(&BUNDLED[..start], BUNDLED.len() as u64).unwrap();
        assert_eq!(head.data_start(), start as u64);
        assert_eq!(head.gguf().config(), whole.config());
        for info in head.gguf().tensors() {
            let at = usize::try_from(head.offset_of(&info)).unwrap();
            let data = whole.tensor_data(&info).unwrap();
            assert_eq!(&BUNDLED[at..at + data.len()], data, "{}", info.name);
            assert_eq!(head.gguf().tensor_data(&info), None);
        }
        let missing = head.gguf().tensor(Role::TokenEmbd).unwrap_err();
        assert_eq!(missing, crate::Error::MissingTensor(Role::TokenEmbd));
    }

    #[test]
    fn a_file_that_ends_too_early_is_refused() {
        let kind = |bytes, len| GgufHead::parse(bytes, len).map(drop).unwrap_err().kind;
        let len = BUNDLED.len() as u64;
        let whole = GgufHead::parse(BUNDLED, len).unwrap();
        let start = usize::try_from(whole.data_start()).unwrap();
        assert_eq!(kind(&BUNDLED[..start / 2], len), GgufErrorKind::Truncated);
        assert_eq!(kind(&BUNDLED[..start], len - 1), GgufErrorKind::TensorBeyondFile);
        assert_eq!(kind(&BUNDLED[..start], 0), GgufErrorKind::TensorBeyondFile);
    }
}
