//! `xielu quantize --report`: what each type would do to a model, measured on a text.

mod mlp;
mod types;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use xielu::checkpoint::{self, LayerRole, ModelFile, ModelView, Role};
use xielu::convert::{Conversion, Output, RECIPES, TensorReport, Types};
use xielu::imatrix::ImportanceMatrix;
use xielu::kernels::DType;
use xielu::session::{PerplexityOptions, SessionOptions};
use xielu::{Backend, Session};

use self::types::{Candidate, TYPES, candidates, marked};
use super::convert::convert;
use super::summary;
use crate::args::ComputeArgs;
use crate::interrupt;
use crate::model::{advised, load, reserve};
use crate::windows::{ADVICE, read_windows};

/// What to measure on.
#[derive(Debug, clap::Args)]
pub struct ReportArgs {
    /// Text to measure on, for --report
    #[arg(long, value_name = "FILE")]
    pub text: Option<PathBuf>,
    /// Tokens of a window of that text, as in `xielu perplexity`
    #[arg(long, value_name = "N", default_value_t = 256)]
    window: usize,
    /// Windows of that text to measure; all when not given
    #[arg(long, value_name = "N")]
    windows: Option<usize>,
    /// Types to compare, for --report; q8_0,q6_k,q5_k,q4_k,q4_0 when not given
    #[arg(
        long = "types",
        value_name = "TYPES",
        value_delimiter = ',',
        value_parser = super::types::parser(),
        ignore_case = true,
        requires = "report"
    )]
    types: Vec<DType>,
}

/// What models are measured on.
struct Measure<'a> {
    backend: Backend<'static>,
    windows: &'a [Vec<u32>],
    folder: &'a Path,
    matrix: Option<&'a ImportanceMatrix>,
}

/// A row of the table of perplexities.
struct Row {
    name: String,
    types: Types,
    weighted: bool,
}

pub fn run(
    args: &ReportArgs,
    compute: &ComputeArgs,
    file: Arc<ModelFile>,
    matrix: Option<&ImportanceMatrix>,
) -> anyhow::Result<()> {
    let text = args.text.as_deref().context("--report needs a text; give --text FILE")?;
    let path = file.path().to_owned();
    let folder = tempfile::tempdir().context("there is no temporary folder to work in")?;
    let backend = compute.backend()?;
    let mut source = session(file, args.window, &backend)?;
    let options = PerplexityOptions {
        window: args.window,
        windows: args.windows,
        ..PerplexityOptions::default()
    };
    let windows = read_windows(text, source.tokenizer()?, &options)?;
    let measure = Measure { backend, windows: &windows, folder: folder.path(), matrix };
    let types = if args.types.is_empty() { &TYPES[..] } else { &args.types };
    let candidates = candidates(types, matrix);

    let (truth, inputs) = measure.source(&mut source)?;
    let tokens = windows.first().map_or(0, Vec::len);
    say!("{}, {tokens} tokens of {}\n", path.display(), text.display());
    let view = source.view();
    mlp::print(&measure.backend, view.checkpoint(), source.config(), &inputs, &candidates)?;
    if matrix.is_some() {
        say!("+i: by the weights of the importance matrix");
    }
    drop(inputs);

    let (count, predictions) = (windows.len(), truth.len());
    say!("\nperplexity: {count} windows of {}, {predictions} predictions", args.window);
    measure.compare(view, &truth, &everything(&candidates))?;
    say!("\none part in q4_k, the others as in the source");
    measure.compare(view, &truth, &one_part(view)?)
}

/// A model that is measured in windows of so many tokens.
fn session(
    file: impl Into<Arc<ModelFile>>,
    window: usize,
    backend: &Backend<'_>,
) -> anyhow::Result<Session> {
    // That of `Session::score`; one more where a window is odd.
    let batch = window.div_ceil(2);
    let options = SessionOptions { batch, kernels: backend.kernels, ..SessionOptions::default() };
    load(file, &options)
}

/// Every candidate for the whole model, and each recipe before the type that it is named after.
fn everything(candidates: &[Candidate<'_>]) -> Vec<Row> {
    let mut rows = Vec::new();
    for candidate in candidates {
        let weighted = candidate.matrix.is_some();
        for (name, types) in RECIPES.into_iter().filter(|(_, types)| types.up == candidate.dtype) {
            rows.push(Row { name: marked(name, weighted), types, weighted });
        }
        let types = Types::uniform(candidate.dtype);
        rows.push(Row { name: candidate.name(), types, weighted });
    }
    rows
}

/// The types with only one part in Q4_K.
fn one_part(view: &ModelView<'_>) -> anyhow::Result<Vec<Row>> {
    let dtype = |role| -> anyhow::Result<Option<DType>> {
        Ok(view.checkpoint().tensor(role)?.map(|tensor| tensor.dtype))
    };
    let layer = |role| -> anyhow::Result<DType> {
        dtype(Role::Layer(0, role))?.context("the first layer lacks a tensor")
    };
    let source = Types {
        up: layer(LayerRole::FfnUp)?,
        down: layer(LayerRole::FfnDown)?,
        attn_v: layer(LayerRole::AttnV)?,
        rest: layer(LayerRole::AttnQ)?,
        embeddings: dtype(Role::TokenEmbd)?,
        output: dtype(Role::Output)?.or(dtype(Role::TokenEmbd)?),
    };
    let q4 = DType::Q4_K;
    let mut parts = vec![
        ("up", Types { up: q4, ..source }),
        ("down", Types { down: q4, ..source }),
        ("attention: v", Types { attn_v: q4, ..source }),
        ("attention: q, k, o", Types { rest: q4, ..source }),
        ("embedding", Types { embeddings: Some(q4), ..source }),
    ];
    if dtype(Role::Output)?.is_some() {
        parts.push(("output head", Types { output: Some(q4), ..source }));
    }
    let row = |(name, types): (&str, Types)| Row { name: name.to_owned(), types, weighted: false };
    Ok(parts.into_iter().map(row).collect())
}

impl Measure<'_> {
    /// `-ln p` of every prediction of the source, and the inputs of its MLPs in the first window.
    fn source(&self, session: &mut Session) -> anyhow::Result<(Vec<f64>, Vec<Vec<f32>>)> {
        let first = self.windows.first().context("the text is empty")?;
        reserve(session, first.len(), ADVICE)?;
        let config = *session.config();
        let inputs = session.with_decoder(|decoder| mlp::inputs(decoder, &config, first))??;
        Ok((self.scores(session)?, inputs))
    }

    /// `-ln p` of every prediction.
    fn scores(&self, session: &mut Session) -> anyhow::Result<Vec<f64>> {
        let window = self.windows.first().map_or(0, Vec::len);
        let mut scores = Vec::new();
        let scored = session.score(self.windows, window / 2, |nlls| {
            scores.extend_from_slice(nlls);
            interrupt::go_on()
        });
        scored.map_err(|e| advised(e, ADVICE))?;
        interrupt::check()?;
        Ok(scores)
    }

    /// Converts the model to each of `rows` and prints what that costs in perplexity.
    fn compare(&self, view: &ModelView<'_>, truth: &[f64], rows: &[Row]) -> anyhow::Result<()> {
        let path = self.folder.join("candidate.gguf");
        let mut notes = Vec::new();
        say!(
            "{:<20} {:>12} {:>12} {:>10} {:>10} {:>7}",
            "",
            "bytes",
            "bits/weight",
            "perplexity",
            "increase %",
            "+/-"
        );
        say!("{:<20} {:>12} {:>12} {:>10.4}", "source", "", "", mean(truth).exp());
        for Row { name, types, weighted } in rows {
            let mut source = Conversion::without_vocabulary(view);
            if let Some(matrix) = self.matrix.filter(|_| *weighted) {
                source = source.with_importance(matrix, "");
            }
            let reports = convert(&source, Output::from(&path), types)?;
            let window = self.windows.first().map_or(0, Vec::len);
            let mut candidate = session(checkpoint::open(&path)?, window, &self.backend)?;
            reserve(&mut candidate, window, ADVICE)?;
            let scores = self.scores(&mut candidate)?;
            let mark = if reports.iter().any(|r| r.wanted != r.to) { "*" } else { "" };
            for note in summary::fallbacks(&reports) {
                if !notes.contains(&note) {
                    notes.push(note);
                }
            }
            print_row(&format!("{name}{mark}"), &reports, truth, &scores)?;
        }
        for note in notes {
            say!("* {note}");
        }
        Ok(())
    }
}

fn print_row(
    name: &str,
    reports: &[TensorReport],
    truth: &[f64],
    scores: &[f64],
) -> anyhow::Result<()> {
    let bytes: u64 = reports.iter().map(|r| r.bytes_after).sum();
    let weights: usize = reports.iter().map(|r| r.shape.iter().product::<usize>()).sum();
    // Of each prediction: what the texts' difficulty adds to both goes away.
    let differences: Vec<f64> = scores.iter().zip(truth).map(|(a, b)| a - b).collect();
    let ratio = mean(&differences).exp();
    say!(
        "{name:<20} {bytes:>12} {:>12.2} {:>10.4} {:>10.2} {:>7.2}",
        8.0 * bytes as f64 / weights as f64,
        mean(scores).exp(),
        100.0 * (ratio - 1.0),
        100.0 * ratio * standard_error(&differences)
    );
    Ok(())
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// One standard error of the mean.
fn standard_error(values: &[f64]) -> f64 {
    let (n, mean) = (values.len() as f64, mean(values));
    let squares: f64 = values.iter().map(|v| (v - mean) * (v - mean)).sum();
    (squares / (n - 1.0).max(1.0) / n).sqrt()
}
