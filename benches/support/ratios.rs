//! Reads back what criterion measured and prints each median beside a baseline's.

use super::estimates::median;

/// Prints a table: nanoseconds per element of every benchmark of a group, and its ratio to
/// `baseline`'s.
pub fn print(group: &str, ids: &[String], baseline: &str, elements: usize) {
    let Some(base) = median(group, baseline) else { return };
    println!("\n{group}: median ns per element, and times {baseline}");
    for id in ids {
        if let Some(time) = median(group, id) {
            println!("  {id:<28} {:>9.4} {:>8.2}x", time / elements as f64, time / base);
        }
    }
}
