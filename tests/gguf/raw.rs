//! GGUF bytes put together by hand, so that any field can be wrong.

/// Value type numbers of the format.
pub const U8: u32 = 0;
pub const U32: u32 = 4;
pub const BOOL: u32 = 7;
pub const STR: u32 = 8;
pub const ARRAY: u32 = 9;
pub const U64: u32 = 10;

/// Where the first pair begins.
pub const PAIRS: u64 = 24;

/// The parts of a file; the counts are those of the lists.
#[derive(Clone, Default)]
pub struct Raw {
    pub pairs: Vec<Vec<u8>>,
    pub tensors: Vec<Vec<u8>>,
    pub data: usize,
}

impl Raw {
    pub fn with_pairs(pairs: impl IntoIterator<Item = Vec<u8>>) -> Raw {
        Raw { pairs: pairs.into_iter().collect(), ..Raw::default() }
    }

    pub fn with_tensors(data: usize, tensors: impl IntoIterator<Item = Vec<u8>>) -> Raw {
        Raw { tensors: tensors.into_iter().collect(), data, ..Raw::default() }
    }

    /// Where tensor `index`'s description begins.
    pub fn tensor_at(&self, index: usize) -> u64 {
        let pairs: usize = self.pairs.iter().map(Vec::len).sum();
        let before: usize = self.tensors[..index].iter().map(Vec::len).sum();
        PAIRS + (pairs + before) as u64
    }

    /// Where tensor `index`'s offset field is.
    pub fn offset_at(&self, index: usize) -> u64 {
        self.tensor_at(index) + self.tensors[index].len() as u64 - 8
    }

    /// The file, with data aligned to `align`.
    pub fn aligned(&self, align: usize) -> Vec<u8> {
        let mut file = header(3, self.tensors.len() as u64, self.pairs.len() as u64);
        self.pairs.iter().chain(&self.tensors).for_each(|part| file.extend(part));
        if !self.tensors.is_empty() {
            file.resize(file.len().next_multiple_of(align) + self.data, 0);
        }
        file
    }

    pub fn file(&self) -> Vec<u8> {
        self.aligned(32)
    }
}

pub fn header(version: u32, tensors: u64, pairs: u64) -> Vec<u8> {
    let version = version.to_le_bytes();
    [b"GGUF", &version[..], &tensors.to_le_bytes(), &pairs.to_le_bytes()].concat()
}

pub fn string(text: impl AsRef<[u8]>) -> Vec<u8> {
    let text = text.as_ref();
    [&(text.len() as u64).to_le_bytes(), text].concat()
}

pub fn pair(key: impl AsRef<[u8]>, value_type: u32, value: impl AsRef<[u8]>) -> Vec<u8> {
    [&string(key), &value_type.to_le_bytes()[..], value.as_ref()].concat()
}

pub fn array(key: &str, element_type: u32, count: u64, elements: impl AsRef<[u8]>) -> Vec<u8> {
    let (element_type, count) = (element_type.to_le_bytes(), count.to_le_bytes());
    pair(key, ARRAY, [&element_type[..], &count, elements.as_ref()].concat())
}

pub fn tensor(name: impl AsRef<[u8]>, dims: &[u64], ggml_type: u32, offset: u64) -> Vec<u8> {
    let mut bytes = string(name);
    bytes.extend((dims.len() as u32).to_le_bytes());
    dims.iter().for_each(|dim| bytes.extend(dim.to_le_bytes()));
    bytes.extend(ggml_type.to_le_bytes());
    bytes.extend(offset.to_le_bytes());
    bytes
}
