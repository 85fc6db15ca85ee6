//! Reads back what criterion measured and prints each median beside a baseline's.

use std::path::Path;

/// The median time of one benchmark in nanoseconds, if it ran.
fn median(group: &str, id: &str) -> Option<f64> {
    let target = std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    let path = Path::new(&target).join("criterion").join(group).join(id).join("new/estimates.json");
    let estimates: serde_json::Value = serde_json::from_slice(&std::fs::read(path).ok()?).ok()?;
    estimates["median"]["point_estimate"].as_f64()
}

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
