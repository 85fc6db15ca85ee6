//! What a comparison has shown so far.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::Context as _;
use plotters::style::HSLColor;
use xielu::checkpoint::AtomicFile;
use xielu::train::TrainConfig;

use crate::train::charts::{Bar, Chart, Line, draw, draw_bars};
use crate::train::log::{Evaluation, evaluations, read, steps};
use crate::train::plots::validation_loss;
use crate::train::run::RunDir;

/// A finished run.
pub struct Trained {
    activation: &'static str,
    seed: u64,
    parameters: usize,
    ffn: usize,
    evaluations: Vec<Evaluation>,
    loss: f64,
    tokens_per_second: f64,
    utilisation: Option<f64>,
}

impl Trained {
    /// What the run in `dir` has logged.
    pub fn read(
        dir: &RunDir,
        activation: &'static str,
        seed: u64,
        config: &TrainConfig,
    ) -> anyhow::Result<Self> {
        let records = read(&dir.0.join("log.jsonl"))?;
        let evaluations: Vec<_> = evaluations(&records).cloned().collect();
        let last = evaluations.last().filter(|e| e.step == config.schedule.total_steps);
        let loss = last.and_then(|e| e.validation_loss).with_context(|| {
            format!("the log of {} does not reach its end; remove the directory", dir.0.display())
        })?;
        let (parameters, ffn) = (config.model.parameter_count()?, config.model.intermediate_size);
        let speeds = steps(&records).map(|step| step.tokens_per_second);
        let tokens_per_second = median(speeds).unwrap_or_default();
        let utilisation = median(steps(&records).filter_map(|step| step.utilisation));
        Ok(Trained {
            activation,
            seed,
            parameters,
            ffn,
            evaluations,
            loss,
            tokens_per_second,
            utilisation,
        })
    }
}

/// The middle one of all values.
fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

/// Mean, standard deviation (of a sample), least and largest.
struct Spread {
    mean: f64,
    deviation: f64,
    range: (f64, f64),
}

impl Spread {
    fn of(values: &[f64]) -> Self {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let squares: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
        let deviation = if values.len() > 1 { (squares / (n - 1.0)).sqrt() } else { 0.0 };
        let low = values.iter().copied().fold(f64::INFINITY, f64::min);
        let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        Spread { mean, deviation, range: (low, high) }
    }
}

/// The runs of each activation, in the order of the first.
fn groups(trained: &[Trained]) -> Vec<Vec<&Trained>> {
    let mut groups: Vec<Vec<&Trained>> = Vec::new();
    for run in trained {
        match groups.iter_mut().find(|g| g.first().is_some_and(|f| f.activation == run.activation))
        {
            Some(group) => group.push(run),
            None => groups.push(vec![run]),
        }
    }
    groups
}

/// Table and drawings of the runs that are finished.
pub fn write(dir: &Path, base: &TrainConfig, trained: &[Trained]) -> anyhow::Result<()> {
    let save = |name: &str, text: &str| {
        let path = dir.join(name);
        AtomicFile::write(&path, text.as_bytes())
            .with_context(|| format!("cannot write {}", path.display()))
    };
    let tokens = base.tokens_per_step() as u64 * base.schedule.total_steps;
    let steps = base.schedule.total_steps;
    let heading = format!("{steps} steps, {tokens} tokens each.\n\n");
    save("comparison.md", &(heading + &table(trained)))?;
    save("comparison.csv", &csv(trained))?;
    let groups = groups(trained);
    save("loss.svg", &losses(&groups, steps)?)?;
    save("perplexity.svg", &perplexities(&groups)?)?;
    if let Some(drawing) = alphas(&groups)? {
        save("alphas.svg", &drawing)?;
    }
    Ok(())
}

/// A Markdown table, a row for every activation: mean ± standard deviation over the seeds.
pub fn table(trained: &[Trained]) -> String {
    let mut text = String::from(
        "| activation | parameters | ffn | validation loss | perplexity | seeds | tokens/s |\n\
         |---|---|---|---|---|---|---|\n",
    );
    for group in groups(trained) {
        let Some(first) = group.first() else { continue };
        let losses: Vec<f64> = group.iter().map(|run| run.loss).collect();
        let perplexities: Vec<f64> = losses.iter().map(|loss| loss.exp()).collect();
        let (loss, perplexity) = (Spread::of(&losses), Spread::of(&perplexities));
        let seeds: Vec<String> = group.iter().map(|run| run.seed.to_string()).collect();
        let Trained { activation, parameters, ffn, .. } = first;
        let speed = median(group.iter().map(|run| run.tokens_per_second)).unwrap_or_default();
        let utilisation = match median(group.iter().filter_map(|run| run.utilisation)) {
            Some(part) => format!(" (MFU {:.1} %)", 100.0 * part),
            None => String::new(),
        };
        // Writing to a String does not fail.
        let _ = writeln!(
            text,
            "| {activation} | {parameters} | {ffn} | {:.4} ± {:.4} | {:.3} ± {:.3} | {} \
             | {speed:.0}{utilisation} |",
            loss.mean,
            loss.deviation,
            perplexity.mean,
            perplexity.deviation,
            seeds.join(", ")
        );
    }
    text
}

fn csv(trained: &[Trained]) -> String {
    let mut text = String::from(
        "activation,seed,parameters,ffn,validation_loss,perplexity,tokens_per_second,utilisation\n",
    );
    for run in trained {
        let Trained { activation, seed, parameters, ffn, loss, tokens_per_second, .. } = run;
        let utilisation = run.utilisation.map(|part| part.to_string()).unwrap_or_default();
        let _ = writeln!(
            text,
            "{activation},{seed},{parameters},{ffn},{loss},{},{tokens_per_second},{utilisation}",
            loss.exp()
        );
    }
    text
}

fn colour(group: usize) -> HSLColor {
    const HUES: [f64; 4] = [0.6, 0.8, 0.33, 0.05];
    HSLColor(HUES[group % HUES.len()], 0.8, 0.42)
}

/// Mean and range of several series at every x of the first.
fn line(label: &str, group: usize, series: &[Vec<(f64, f64)>]) -> Line {
    let (mut points, mut band) = (Vec::new(), Vec::new());
    for (i, &(x, _)) in series.first().into_iter().flatten().enumerate() {
        let values: Vec<f64> = series.iter().filter_map(|s| s.get(i)).map(|&(_, y)| y).collect();
        let spread = Spread::of(&values);
        points.push((x, spread.mean));
        band.push((x, spread.range.0, spread.range.1));
    }
    Line { label: label.into(), colour: colour(group), points, band, width: 4 }
}

/// The validation loss of the whole run, and of its second half.
fn losses(groups: &[Vec<&Trained>], steps: u64) -> anyhow::Result<String> {
    let chart = |title: &str, from: f64| {
        let lines = groups.iter().enumerate().map(|(i, group)| {
            let curve = |run: &&Trained| {
                let mut curve = validation_loss(run.evaluations.iter());
                curve.retain(|&(step, _)| step >= from);
                curve
            };
            line(name(group), i, &group.iter().map(curve).collect::<Vec<_>>())
        });
        let axes = ["step".into(), "nats per token".into()];
        Chart { title: title.into(), axes, lines: lines.collect() }
    };
    draw(&[chart("Validation loss", 0.0), chart("Second half", steps as f64 / 2.0)])
}

fn perplexities(groups: &[Vec<&Trained>]) -> anyhow::Result<String> {
    let bar = |(i, group): (usize, &Vec<&Trained>)| {
        let values: Vec<f64> = group.iter().map(|run| run.loss.exp()).collect();
        let Spread { mean, range, .. } = Spread::of(&values);
        Bar { label: name(group).into(), colour: colour(i), height: mean, spread: range }
    };
    let bars: Vec<Bar> = groups.iter().enumerate().map(bar).collect();
    draw_bars("Validation perplexity: mean, least and largest", "perplexity", &bars)
}

/// The learned alphas by depth; nothing if no activation has any.
fn alphas(groups: &[Vec<&Trained>]) -> anyhow::Result<Option<String>> {
    let chart = |title: &str, of: fn(&Evaluation) -> &Vec<f64>| {
        let lines = groups.iter().enumerate().map(|(i, group)| {
            let by_depth = |run: &&Trained| {
                let values = run.evaluations.last().map(of).into_iter().flatten();
                values.enumerate().map(|(layer, &value)| (layer as f64, value)).collect()
            };
            line(name(group), i, &group.iter().map(by_depth).collect::<Vec<_>>())
        });
        let lines = lines.filter(|line| !line.points.is_empty()).collect();
        Chart { title: title.into(), axes: ["layer".into(), "effective value".into()], lines }
    };
    let charts = [chart("Learned αp", |e| &e.alpha_p), chart("Learned αn", |e| &e.alpha_n)];
    if charts.iter().all(|chart| chart.lines.is_empty()) {
        return Ok(None);
    }
    draw(&charts).map(Some)
}

fn name(group: &[&Trained]) -> &'static str {
    group.first().map_or("", |run| run.activation)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trained(activation: &'static str, seed: u64, loss: f64) -> Trained {
        let evaluation = |step: u64, loss: f64| Evaluation {
            step,
            validation_loss: Some(loss),
            alpha_p: vec![0.8, 0.9],
            alpha_n: vec![0.7, loss],
        };
        let evaluations = vec![evaluation(0, 7.0), evaluation(10, loss)];
        let tokens_per_second = 1000.0 + loss;
        let utilisation = (activation == "xielu").then_some(loss / 10.0);
        Trained {
            activation,
            seed,
            parameters: 1000,
            ffn: 64,
            evaluations,
            loss,
            tokens_per_second,
            utilisation,
        }
    }

    #[test]
    fn means_and_deviations_over_seeds() {
        let runs = [
            trained("xielu", 0, 1.0),
            trained("swiglu", 0, 2.0),
            trained("xielu", 1, 2.0),
            trained("xielu", 2, 3.0),
        ];
        let table = table(&runs);
        let row = "| xielu | 1000 | 64 | 2.0000 ± 1.0000 | 10.064 ± 8.987 | 0, 1, 2 \
                   | 1002 (MFU 20.0 %) |";
        assert!(table.contains(row), "{table}");
        assert!(table.contains("| swiglu | 1000 | 64 | 2.0000 ± 0.0000 |"), "{table}");
        assert!(table.ends_with("| 0 | 1002 |\n"), "{table}");
        assert_eq!(csv(&runs).lines().count(), 5);
        let groups = groups(&runs);
        let curve = line("xielu", 0, &[vec![(0.0, 1.0), (1.0, 2.0)], vec![(0.0, 3.0), (1.0, 6.0)]]);
        assert_eq!(curve.points, [(0.0, 2.0), (1.0, 4.0)]);
        assert_eq!(curve.band, [(0.0, 1.0, 3.0), (1.0, 2.0, 6.0)]);
        for drawing in [
            losses(&groups, 10).unwrap(),
            perplexities(&groups).unwrap(),
            alphas(&groups).unwrap().unwrap(),
        ] {
            assert!(drawing.starts_with("<svg") && drawing.trim_end().ends_with("</svg>"));
            assert!(drawing.contains("xielu") && drawing.contains("swiglu"));
        }
    }
}
