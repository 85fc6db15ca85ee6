//! What goes with a model's text: chat templates and the authors' sampling.

use std::io::Write;

use xielu::checkpoint::{ModelView, Sampling};
use xielu::session::recommended_sampling;

/// Prints what there is; a model for plain text may have nothing.
pub fn print(out: &mut impl Write, view: &ModelView<'_>) -> anyhow::Result<()> {
    let mut rows = Vec::new();
    match templates(view) {
        Ok(names) if names.is_empty() => {}
        Ok(names) => rows.push(("chat templates", names.join(", "))),
        Err(e) => rows.push(("chat templates", format!("cannot be read: {e:#}"))),
    }
    match recommended_sampling(view) {
        Ok(sampling) if sampling.is_empty() => {}
        Ok(sampling) => rows.push(("sampling", shown(&sampling))),
        Err(e) => rows.push(("sampling", format!("cannot be read: {e}"))),
    }
    if !rows.is_empty() {
        writeln!(out, "\nText")?;
    }
    for (name, value) in rows {
        writeln!(out, "  {name:<16} {value}")?;
    }
    Ok(())
}

/// The names of the chat templates.
fn templates(view: &ModelView<'_>) -> anyhow::Result<Vec<String>> {
    let all = xielu::chat::templates(view)?;
    Ok(all.iter().map(|(name, _)| name.escape_debug().to_string()).collect())
}

fn shown(sampling: &Sampling) -> String {
    let values = [
        ("temperature", sampling.temperature),
        ("top-k", sampling.top_k.map(|k| k as f32)),
        ("top-p", sampling.top_p),
        ("min-p", sampling.min_p),
        ("typical-p", sampling.typical_p),
        ("repetition penalty", sampling.repetition_penalty),
        ("of the last", sampling.penalty_last_n.filter(|&n| n >= 0).map(|n| n as f32)),
    ];
    let values = values.into_iter().filter_map(|(name, v)| v.map(|v| format!("{name} {v}")));
    values.collect::<Vec<_>>().join(", ")
}
