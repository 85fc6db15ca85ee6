//! Finding a repeated name without allocating.

/// Names held on the stack at a time: 8 KiB of a host's, 512 bytes of a microcontroller's.
const BLOCK: usize = if usize::BITS >= 64 { 512 } else { 64 };

/// The position of a name that repeats an earlier one.
///
/// Each walk keeps the `BLOCK` smallest names that no walk before has kept, in order, and finds
/// those that occur twice among them: `n` names cost `n / BLOCK` walks, whatever the names are.
pub(super) fn first_repeated<'w, N>(names: &N) -> Option<usize>
where
    N: Iterator<Item = (usize, &'w str)> + Clone,
{
    // The largest name of the walk before; names are not empty.
    let mut done = "";
    loop {
        let mut block = [""; BLOCK];
        let mut held = 0;
        for (at, name) in names.clone() {
            let kept = block.get(..held)?;
            if name <= done || (held == BLOCK && kept.last().is_some_and(|&last| name > last)) {
                continue;
            }
            let slot = kept.partition_point(|&other| other < name);
            if kept.get(slot) == Some(&name) {
                return Some(at);
            }
            // The names above move up; with a full block the largest falls out.
            let mut carried = name;
            block.iter_mut().take(held + 1).skip(slot).for_each(|other| {
                core::mem::swap(other, &mut carried);
            });
            held = (held + 1).min(BLOCK);
        }
        if held < BLOCK {
            return None;
        }
        done = block.last()?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{format, string::String, vec::Vec};

    #[test]
    fn repeats_are_found_at_any_distance_in_any_order() {
        let ascending: Vec<String> = (0..2000).map(|i| format!("name {i:4}")).collect();
        let descending: Vec<String> = ascending.iter().rev().cloned().collect();
        let stirred = (0..2000).map(|i| ascending[i * 7 % 2000].clone()).collect();
        for names in [ascending, descending, stirred] {
            assert_eq!(first_repeated(&names.iter().map(String::as_str).enumerate()), None);
            for (first, second) in [(0, 1), (0, 1999), (511, 512), (512, 513), (1023, 1500)] {
                let mut names = names.clone();
                names[second] = names[first].clone();
                let found = first_repeated(&names.iter().map(String::as_str).enumerate());
                assert_eq!(found, Some(second));
            }
        }
    }
}
