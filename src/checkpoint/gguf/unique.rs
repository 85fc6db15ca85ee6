//! Finding a repeated name without allocating.

/// Names held on the stack at a time.
const BLOCK: usize = 64;

/// The position of the first name found that repeats an earlier one.
///
/// A nested loop over blocks: `BLOCK` names are held and every later name is compared with
/// them, then the next block is taken. `n` names cost `n / BLOCK` walks and `n^2 / 2`
/// comparisons, which the reader's limits on counts and name lengths bound.
pub(super) fn first_repeated<'w>(
    mut names: impl Iterator<Item = (usize, &'w str)> + Clone,
) -> Option<usize> {
    loop {
        let mut block = [""; BLOCK];
        let mut held = 0;
        while held < BLOCK {
            let (at, name) = names.next()?;
            let (known, free) = block.split_at_mut_checked(held)?;
            if known.contains(&name) {
                return Some(at);
            }
            *free.first_mut()? = name;
            held += 1;
        }
        if let Some((at, _)) = names.clone().find(|(_, name)| block.contains(name)) {
            return Some(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{format, string::String, vec::Vec};

    #[test]
    fn repeats_are_found_at_any_distance() {
        let names: Vec<String> = (0..300).map(|i| format!("name {i}")).collect();
        assert_eq!(first_repeated(names.iter().map(String::as_str).enumerate()), None);
        for (first, second) in [(0, 1), (0, 299), (63, 64), (64, 65), (127, 128), (200, 299)] {
            let mut names = names.clone();
            names[second] = names[first].clone();
            let found = first_repeated(names.iter().map(String::as_str).enumerate());
            assert_eq!(found, Some(second));
        }
    }
}
