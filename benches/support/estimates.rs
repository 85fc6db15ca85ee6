//! Reads back what criterion measured.

use std::path::Path;

/// The median time of one benchmark in nanoseconds, if it ran.
pub fn median(group: &str, id: &str) -> Option<f64> {
    let target = std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    // criterion names folders so.
    let id = id.replace('/', "_");
    let path = Path::new(&target).join("criterion").join(group).join(id).join("new/estimates.json");
    let estimates: serde_json::Value = serde_json::from_slice(&std::fs::read(path).ok()?).ok()?;
    estimates["median"]["point_estimate"].as_f64()
}
