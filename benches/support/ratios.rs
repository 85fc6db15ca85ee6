//! Reads back what criterion measured and prints each median beside a copy's.

use super::estimates::median;

/// Prints a Markdown table: nanoseconds per element of every row for each type, and how many
/// times a copy of the same buffers that is. What did not run is left out.
pub fn print(group: &str, elements: usize, rows: &[String], types: &[&str]) {
    let cell = |row: &str, dtype: &str| median(group, &format!("{row} {dtype}"));
    println!("\n{group}: median ns per element (times a copy of the same buffers)\n");
    println!("| | {} |\n|---{}|", types.join(" | "), "|---".repeat(types.len()));
    let ns = |time: Option<f64>| match time {
        Some(time) => format!("{:.3}", time / elements as f64),
        None => "-".into(),
    };
    let copies: Vec<_> = types.iter().map(|dtype| cell("copy", dtype)).collect();
    println!("| copy | {} |", copies.iter().map(|&time| ns(time)).collect::<Vec<_>>().join(" | "));
    for row in rows {
        let times = types.iter().map(|dtype| cell(row, dtype)).zip(&copies);
        let cells = times.map(|(time, copy)| match (time, copy) {
            (Some(t), Some(copy)) => format!("{} ({:.2}x)", ns(time), t / copy),
            _ => ns(time),
        });
        println!("| {row} | {} |", cells.collect::<Vec<_>>().join(" | "));
    }
}
