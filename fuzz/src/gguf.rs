//! Mutations of GGUF files field by field: counts, types, names, dimensions and offsets are
//! changed, the rest of the file stays well-formed around them.

use fastrand::Rng;

/// The fields of a header, each as the bytes it was read from.
struct Fields {
    /// The file in order; the last one is the data section.
    parts: Vec<Vec<u8>>,
}

/// `file` with one to three fields changed; `None` if its header cannot be followed.
pub fn mutate(file: &[u8], rng: &mut Rng) -> Option<Vec<u8>> {
    let mut parts = Fields::read(file)?.parts;
    for _ in 0..rng.u32(1..=3) {
        let at = rng.usize(..parts.len());
        match rng.u32(..10) {
            0 => drop(parts.remove(at)),
            1 => parts.insert(at, parts[at].clone()),
            2 => {
                let other = rng.usize(..parts.len());
                parts.swap(at, other);
            }
            _ => change(&mut parts[at], rng),
        }
        if parts.is_empty() {
            return None;
        }
    }
    Some(parts.concat())
}

/// Changes the bytes of one field, as an integer of its size or one byte of it.
fn change(field: &mut [u8], rng: &mut Rng) {
    let bytes = field.len().min(8);
    let mut word = [0; 8];
    word[..bytes].copy_from_slice(&field[..bytes]);
    let value = u64::from_le_bytes(word);
    let changed = match rng.u32(..8) {
        0 => value.wrapping_add(1),
        1 => value.wrapping_sub(1),
        2 => value.wrapping_mul(2),
        3 => 0,
        4 => u64::MAX,
        5 => 1 << rng.u32(..64),
        6 => rng.u64(..16),
        _ => {
            if let Some(byte) = (!field.is_empty()).then(|| rng.usize(..field.len())) {
                field[byte] ^= 1 << rng.u32(..8);
            }
            return;
        }
    };
    field[..bytes].copy_from_slice(&changed.to_le_bytes()[..bytes]);
}

impl Fields {
    fn read(file: &[u8]) -> Option<Self> {
        let mut fields = Fields { parts: vec![] };
        let mut rest = file;
        fields.take(&mut rest, 4)?;
        fields.take(&mut rest, 4)?;
        let tensors = fields.number(&mut rest, 8)?;
        let pairs = fields.number(&mut rest, 8)?;
        for _ in 0..pairs {
            fields.string(&mut rest)?;
            let value_type = fields.number(&mut rest, 4)?;
            fields.value(&mut rest, value_type)?;
        }
        for _ in 0..tensors {
            fields.string(&mut rest)?;
            let dims = fields.number(&mut rest, 4)?;
            for _ in 0..dims {
                fields.take(&mut rest, 8)?;
            }
            fields.take(&mut rest, 4)?;
            fields.take(&mut rest, 8)?;
        }
        fields.parts.push(rest.to_vec());
        Some(fields)
    }

    fn take<'f>(&mut self, rest: &mut &'f [u8], bytes: usize) -> Option<&'f [u8]> {
        let (field, after) = rest.split_at_checked(bytes)?;
        *rest = after;
        self.parts.push(field.to_vec());
        Some(field)
    }

    fn number(&mut self, rest: &mut &[u8], bytes: usize) -> Option<u64> {
        let mut word = [0; 8];
        word[..bytes].copy_from_slice(self.take(rest, bytes)?);
        Some(u64::from_le_bytes(word))
    }

    fn string(&mut self, rest: &mut &[u8]) -> Option<()> {
        let length = self.number(rest, 8)?;
        self.take(rest, usize::try_from(length).ok()?).map(|_| ())
    }

    /// A value of one of the format's types; arrays of numbers are one field.
    fn value(&mut self, rest: &mut &[u8], value_type: u64) -> Option<()> {
        match value_type {
            8 => self.string(rest),
            9 => {
                let element_type = self.number(rest, 4)?;
                let count = usize::try_from(self.number(rest, 8)?).ok()?;
                match size(element_type) {
                    Some(bytes) => self.take(rest, count.checked_mul(bytes)?).map(|_| ()),
                    None => (0..count).try_for_each(|_| self.string(rest)),
                }
            }
            _ => self.take(rest, size(value_type)?).map(|_| ()),
        }
    }
}

fn size(value_type: u64) -> Option<usize> {
    match value_type {
        0 | 1 | 7 => Some(1),
        2 | 3 => Some(2),
        4..=6 => Some(4),
        10..=12 => Some(8),
        _ => None,
    }
}
