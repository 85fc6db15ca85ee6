//! The one validation: after it, no lookup finds a malformed field.

use super::cursor::Cursor;
use super::found::Found;
use super::metadata::{Metadata, read_pair};
use super::read::LongArrays;
use super::tensor::{TensorInfo, Tensors};
use super::unique::first_repeated;
use super::value::Value;
use super::{Gguf, GgufError, GgufErrorKind};
use crate::error::{MAX_PAIRS, MAX_TENSORS};

/// Largest alignment accepted: a huge page.
const MAX_ALIGNMENT: u32 = 1 << 21;
/// Alignment of a file that does not name one.
pub(super) const DEFAULT_ALIGNMENT: u32 = 32;
/// Size of the offset that ends each tensor description.
const OFFSET_BYTES: usize = 8;

impl<'w> Gguf<'w> {
    /// Checks `bytes`, a whole file at any alignment, and returns the view of it.
    ///
    /// # Errors
    /// [`GgufError`]: the first thing that is wrong, and where.
    pub fn parse(bytes: &'w [u8]) -> Result<Self, GgufError> {
        parse(bytes, |data, _, _| data.len() as u64)
    }

    /// As [`Gguf::parse`], of the beginning of a file of `file_len` bytes.
    #[cfg(feature = "streamed")]
    pub(super) fn parse_head(bytes: &'w [u8], file_len: u64) -> Result<Self, GgufError> {
        parse(bytes, |_, end_of_infos, align| {
            file_len.saturating_sub(data_start(end_of_infos, align).unwrap_or(usize::MAX) as u64)
        })
    }

    /// Where the data section begins.
    #[cfg(feature = "streamed")]
    pub(super) fn data_start(&self) -> u64 {
        let mut tensors = self.tensors();
        while tensors.next().is_some() {}
        data_start(&tensors.cursor, self.alignment).unwrap_or(usize::MAX) as u64
    }
}

/// `data_len` says how many bytes the data section has, given what there is of it and where it
/// begins.
fn parse<'w>(
    bytes: &'w [u8],
    data_len: impl FnOnce(&[u8], &Cursor<'w>, u32) -> u64,
) -> Result<Gguf<'w>, GgufError> {
    let mut cursor = Cursor::new(bytes, 0);
    let version = read_version(&mut cursor)?;
    let n_tensors = read_count(&mut cursor, MAX_TENSORS, GgufErrorKind::TooManyTensors)?;
    let n_pairs = read_count(&mut cursor, MAX_PAIRS, GgufErrorKind::TooManyPairs)?;
    let mut metadata = Metadata { cursor, left: n_pairs, long: LongArrays::default() };
    let alignment = check_pairs(&mut cursor, n_pairs, &mut metadata.long)?;
    let (no_tensors, no_pairs) = (Tensors { cursor, left: 0 }, Metadata { left: 0, ..metadata });
    check_unique(
        &Names { pairs: metadata.clone(), tensors: no_tensors },
        GgufErrorKind::DuplicateKey,
    )?;
    let tensors = Tensors { cursor, left: n_tensors };
    check_tensors(&mut cursor, n_tensors, alignment)?;
    check_unique(
        &Names { pairs: no_pairs, tensors: tensors.clone() },
        GgufErrorKind::DuplicateTensor,
    )?;
    let data = data_section(bytes, &cursor, alignment);
    check_bounds(&tensors, data_len(data, &cursor, alignment))?;
    let found = Found::of(&metadata);
    Ok(Gguf { version, alignment, metadata, tensors, data, found })
}

fn read_version(cursor: &mut Cursor<'_>) -> Result<u32, GgufError> {
    let at_magic = *cursor;
    match &cursor.array()? {
        b"GGUF" => {}
        b"FUGG" => return Err(at_magic.error(GgufErrorKind::BigEndian)),
        _ => return Err(at_magic.error(GgufErrorKind::BadMagic)),
    }
    let at_version = *cursor;
    let version = cursor.u32()?;
    match version {
        2 | 3 => Ok(version),
        _ if matches!(version.swap_bytes(), 1..=3) => {
            Err(at_version.error(GgufErrorKind::BigEndian))
        }
        _ => Err(at_version.error(GgufErrorKind::UnsupportedVersion(version))),
    }
}

fn read_count(
    cursor: &mut Cursor<'_>,
    limit: u64,
    too_many: fn(u64) -> GgufErrorKind,
) -> Result<usize, GgufError> {
    let here = *cursor;
    let count = cursor.u64()?;
    let accepted = usize::try_from(count).ok().filter(|_| count <= limit);
    accepted.ok_or(here.error(too_many(count)))
}

/// Checks every pair and notes the long arrays; returns the alignment.
fn check_pairs(
    cursor: &mut Cursor<'_>,
    count: usize,
    long: &mut LongArrays,
) -> Result<u32, GgufError> {
    let mut alignment = DEFAULT_ALIGNMENT;
    for _ in 0..count {
        let (at_value, key, value) = read_pair(cursor, long)?;
        long.note(&value, cursor.position());
        if let Value::Array(array) = value {
            array.check(cursor.position().abs_diff(array.as_bytes().len()))?;
        }
        if key == "general.alignment" {
            alignment = check_alignment(value).map_err(|kind| at_value.error(kind))?;
        }
    }
    Ok(alignment)
}

pub(super) fn check_alignment(value: Value<'_>) -> Result<u32, GgufErrorKind> {
    let alignment = value.as_u32().ok_or(GgufErrorKind::AlignmentType)?;
    if !alignment.is_power_of_two() {
        return Err(GgufErrorKind::AlignmentNotPowerOfTwo(alignment));
    }
    if alignment > MAX_ALIGNMENT {
        return Err(GgufErrorKind::AlignmentTooLarge(alignment));
    }
    Ok(alignment)
}

/// Names and where they are: of keys, or of tensors. One type, so that small programs link the
/// search for repeated ones once.
#[derive(Clone)]
struct Names<'w> {
    pairs: Metadata<'w>,
    tensors: Tensors<'w>,
}

impl<'w> Iterator for Names<'w> {
    type Item = (usize, &'w str);

    fn next(&mut self) -> Option<Self::Item> {
        if let Some((at, key, ..)) = self.pairs.next_at() {
            return Some((at, key));
        }
        let at = self.tensors.cursor.position();
        self.tensors.next().map(|info| (at, info.name))
    }
}

/// Checks that no two of `names` are the same.
#[inline(never)]
fn check_unique(names: &Names<'_>, kind: GgufErrorKind) -> Result<(), GgufError> {
    let found = first_repeated(names);
    found.map_or(Ok(()), |at| Err(GgufError { kind, offset: at as u64 }))
}

/// Checks every description, and that the tensors follow one another without overlap. (ggml
/// itself reads only files whose tensors are in the order they are listed in.)
fn check_tensors(cursor: &mut Cursor<'_>, count: usize, align: u32) -> Result<(), GgufError> {
    let mut previous = 0..0;
    for _ in 0..count {
        let info = TensorInfo::read(cursor)?;
        let at_offset = at_offset(cursor);
        // A power of 2.
        if info.offset & (u64::from(align) - 1) != 0 {
            return Err(at_offset.error(GgufErrorKind::TensorAlignment));
        }
        // A tensor of unknown size holds at least one byte.
        let end = info.offset.checked_add(info.byte_len().unwrap_or(1));
        let end = end.ok_or(at_offset.error(GgufErrorKind::Overflow))?;
        if info.offset < previous.end {
            return Err(at_offset.error(if end <= previous.start {
                GgufErrorKind::TensorOrder
            } else {
                GgufErrorKind::TensorOverlap
            }));
        }
        previous = info.offset..end;
    }
    Ok(())
}

/// The data section; empty if the file ends before it.
fn data_section<'w>(bytes: &'w [u8], end_of_infos: &Cursor<'w>, align: u32) -> &'w [u8] {
    data_start(end_of_infos, align).and_then(|start| bytes.get(start..)).unwrap_or_default()
}

fn data_start(end_of_infos: &Cursor<'_>, align: u32) -> Option<usize> {
    let padding = end_of_infos.position().wrapping_neg() & (align as usize - 1);
    end_of_infos.position().checked_add(padding)
}

fn check_bounds(tensors: &Tensors<'_>, data_len: u64) -> Result<(), GgufError> {
    let mut tensors = tensors.clone();
    while let Some(info) = tensors.next() {
        let end = info.offset.checked_add(info.byte_len().unwrap_or(1));
        if end.is_none_or(|end| end > data_len) {
            return Err(at_offset(&tensors.cursor).error(GgufErrorKind::TensorBeyondFile));
        }
    }
    Ok(())
}

/// The offset field of the description just read.
fn at_offset<'w>(after: &Cursor<'w>) -> Cursor<'w> {
    after.back(OFFSET_BYTES)
}
