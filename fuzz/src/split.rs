//! Several files in one input: each after its length, a little-endian u32.

use fastrand::Rng;

/// The files; the last is what there is of it.
pub fn parts(mut input: &[u8]) -> Vec<&[u8]> {
    let mut parts = vec![];
    while let Some((length, rest)) = input.split_first_chunk() {
        let length = u32::from_le_bytes(*length) as usize;
        let (part, rest) = rest.split_at(length.min(rest.len()));
        parts.push(part);
        input = rest;
    }
    parts
}

/// `input` with a field of one part changed, or a part gone, twice there or elsewhere.
pub fn mutate(input: &[u8], rng: &mut Rng) -> Option<Vec<u8>> {
    let mut parts: Vec<Vec<u8>> = parts(input).into_iter().map(<[u8]>::to_vec).collect();
    let at = (!parts.is_empty()).then(|| rng.usize(..parts.len()))?;
    match rng.u32(..8) {
        0 => drop(parts.remove(at)),
        1 => parts.insert(at, parts[at].clone()),
        2 => {
            let other = rng.usize(..parts.len());
            parts.swap(at, other);
        }
        _ => parts[at] = crate::gguf::mutate(&parts[at], rng)?,
    }
    let file = |part: &Vec<u8>| [&(part.len() as u32).to_le_bytes()[..], part].concat();
    Some(parts.iter().flat_map(file).collect())
}
