//! Drawings of a run: `loss.svg` and `alphas.svg`.

use std::path::Path;

use anyhow::Context as _;
use plotters::style::HSLColor;
use xielu::checkpoint::AtomicFile;

use super::charts::{Chart, Line, draw};
use super::log::{Evaluation, Log};
use crate::drawing::colour;

/// Points of a line, at most; more are averaged.
const POINTS: usize = 1000;

/// Draws what the log says so far.
pub fn write(dir: &Path, log: &Log) -> anyhow::Result<()> {
    let save = |name: &str, charts: &[Chart]| {
        let path = dir.join(name);
        AtomicFile::write(&path, draw(charts)?.as_bytes())
            .with_context(|| format!("cannot write {}", path.display()))
    };
    save("loss.svg", &[loss(log)])?;
    let evaluations: Vec<_> = log.evaluations().collect();
    if evaluations.iter().any(|evaluation| !evaluation.alpha_p.is_empty()) {
        let p = alphas("αp by layer", &evaluations, |evaluation| &evaluation.alpha_p);
        let n = alphas("αn by layer", &evaluations, |evaluation| &evaluation.alpha_n);
        save("alphas.svg", &[p, n])?;
    }
    Ok(())
}

fn loss(log: &Log) -> Chart {
    let trained: Vec<_> = log.steps().map(|step| (step.step as f64, step.loss)).collect();
    let line = |label: &str, hue, points, width| {
        let colour = HSLColor(hue, 0.8, 0.45);
        Line { label: label.into(), colour, points, band: Vec::new(), width }
    };
    let mut lines = vec![line("training", 0.6, averaged(&trained), 2)];
    let validation = validation_loss(log.evaluations());
    if !validation.is_empty() {
        lines.push(line("validation", 0.0, validation, 4));
    }
    Chart { title: "Loss".into(), axes: ["step".into(), "nats per token".into()], lines }
}

/// The validation loss by step.
pub fn validation_loss<'a>(evaluations: impl Iterator<Item = &'a Evaluation>) -> Vec<(f64, f64)> {
    evaluations.filter_map(|e| Some((e.step as f64, e.validation_loss?))).collect()
}

fn alphas(
    title: &str,
    evaluations: &[&Evaluation],
    of: impl Fn(&Evaluation) -> &Vec<f64>,
) -> Chart {
    let layers = evaluations.iter().map(|evaluation| of(evaluation).len()).max().unwrap_or(0);
    let line = |layer| {
        let point = |e: &&Evaluation| Some((e.step as f64, *of(e).get(layer)?));
        let points = evaluations.iter().filter_map(point).collect();
        let label = format!("layer {layer}");
        Line { label, colour: colour(layer, layers), points, band: Vec::new(), width: 4 }
    };
    Chart {
        title: title.into(),
        axes: ["step".into(), "effective value".into()],
        lines: (0..layers).map(line).collect(),
    }
}

/// Means of equal parts, where there are too many points.
fn averaged(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let part = points.len().div_ceil(POINTS).max(1);
    let mean = |part: &[(f64, f64)]| {
        let n = part.len() as f64;
        (part.iter().map(|p| p.0).sum::<f64>() / n, part.iter().map(|p| p.1).sum::<f64>() / n)
    };
    points.chunks(part).map(mean).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_points_become_few() {
        let points: Vec<_> = (0..10_000).map(|i| (f64::from(i), 2.0)).collect();
        let few = averaged(&points);
        assert_eq!((few.len(), few[0], few[999]), (1000, (4.5, 2.0), (9994.5, 2.0)));
        assert_eq!(averaged(&points[..5]), points[..5]);
        assert_eq!(averaged(&[]), []);
    }
}
