//! Results as text, Markdown and JSON.

use serde::Serialize;
use xielu::llama::KvType;

use super::row::{Row, Summary};

/// What ran.
#[derive(Debug)]
pub struct Machine {
    /// Path of the model.
    pub model: String,
    /// The instruction set, or the CUDA device.
    pub isa: String,
    pub threads: usize,
    pub batch: usize,
    pub kv_type: KvType,
}

impl Machine {
    /// How many, in words.
    pub fn threads(&self) -> String {
        format!("{} thread{}", self.threads, if self.threads == 1 { "" } else { "s" })
    }
}

/// Columns, two more if `compared` has a rate of a peer for any row.
pub fn text(machine: &Machine, rows: &[Row], compared: &[Option<f64>]) -> anyhow::Result<()> {
    say!("{}", title(machine));
    let names: Vec<_> = rows.iter().map(name).collect();
    let width = names.iter().map(String::len).fold(10, usize::max);
    let peer = compared.iter().any(Option::is_some);
    let more = if peer { format!(" {:>12} {:>7}", "peer", "ratio") } else { String::new() };
    let (median, slowest, fastest) = ("tokens/s", "slowest", "fastest");
    say!("{:<width$} {:>7} {median:>12} {slowest:>12} {fastest:>12}{more}", "", "tokens");
    for ((row, name), &theirs) in rows.iter().zip(names).zip(compared) {
        let Summary { least, median, most, .. } = Summary::of(row.rates());
        let more = match theirs {
            Some(theirs) => format!(" {theirs:>12.1} {:>7.2}", median / theirs),
            None if peer => format!(" {:>12} {:>7}", "-", "-"),
            None => String::new(),
        };
        let tokens = row.test.tokens();
        say!("{name:<width$} {tokens:>7} {median:>12.1} {least:>12.1} {most:>12.1}{more}");
    }
    Ok(())
}

/// A table with a line above it; the peer's columns as in [`text`].
pub fn markdown(machine: &Machine, rows: &[Row], compared: &[Option<f64>]) -> anyhow::Result<()> {
    let peer = compared.iter().any(Option::is_some);
    let (more, line) = if peer { (" peer | ratio |", "---|---|") } else { ("", "") };
    say!("{}\n", title(machine));
    say!("| test | tokens | depth | tokens/s | slowest | fastest |{more}");
    say!("|---|---|---|---|---|---|{line}");
    for (row, &theirs) in rows.iter().zip(compared) {
        let Summary { least, median, most, .. } = Summary::of(row.rates());
        let more = match theirs {
            Some(theirs) => format!(" {theirs:.1} | {:.2} |", median / theirs),
            None if peer => " - | - |".to_owned(),
            None => String::new(),
        };
        let (name, tokens, depth) = (row.test.name(), row.test.tokens(), row.test.depth);
        say!("| {name} | {tokens} | {depth} | {median:.1} | {least:.1} | {most:.1} |{more}");
    }
    Ok(())
}

fn title(machine: &Machine) -> String {
    let Machine { model, isa, kv_type, .. } = machine;
    format!("{model}, {isa}, {}, KV {kv_type:?}", machine.threads())
}

/// The test's name, with the depth where there is one.
fn name(row: &Row) -> String {
    match row.test.depth {
        0 => row.test.name().to_owned(),
        depth => format!("{}@{depth}", row.test.name()),
    }
}

/// A row, in llama-bench's names where it has one.
#[derive(Serialize)]
struct JsonRow<'a> {
    build: &'static str,
    model_filename: &'a str,
    isa: &'a str,
    n_batch: usize,
    n_threads: usize,
    type_k: &'a str,
    type_v: &'a str,
    n_prompt: usize,
    n_gen: usize,
    n_depth: usize,
    avg_ns: u64,
    stddev_ns: u64,
    avg_ts: f64,
    stddev_ts: f64,
    median_ts: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    peer_ts: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ratio: Option<f64>,
    samples_ns: Vec<u64>,
    samples_ts: Vec<f64>,
}

/// An array of objects.
pub fn json(machine: &Machine, rows: &[Row], compared: &[Option<f64>]) -> anyhow::Result<()> {
    let kv_type = format!("{:?}", machine.kv_type).to_lowercase();
    let rows = rows.iter().zip(compared).map(|(row, &theirs)| {
        let (rates, seconds) = (Summary::of(row.rates()), Summary::of(row.seconds.clone()));
        let ns = |seconds: f64| (seconds * 1e9).round() as u64;
        JsonRow {
            build: concat!("xielu ", env!("CARGO_PKG_VERSION")),
            model_filename: &machine.model,
            isa: &machine.isa,
            n_batch: machine.batch,
            n_threads: machine.threads,
            type_k: &kv_type,
            type_v: &kv_type,
            n_prompt: row.test.prompt,
            n_gen: row.test.generated,
            n_depth: row.test.depth,
            avg_ns: ns(seconds.mean),
            stddev_ns: ns(seconds.deviation),
            avg_ts: rates.mean,
            stddev_ts: rates.deviation,
            median_ts: rates.median,
            peer_ts: theirs,
            ratio: theirs.map(|theirs| rates.median / theirs),
            samples_ns: row.seconds.iter().map(|&seconds| ns(seconds)).collect(),
            samples_ts: row.rates(),
        }
    });
    say!("{}", serde_json::to_string_pretty(&rows.collect::<Vec<_>>())?);
    Ok(())
}
