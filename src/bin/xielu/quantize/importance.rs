//! The importance matrix of a quantization.

use std::path::Path;

use anyhow::{Context as _, bail};
use xielu::checkpoint::{LayerRole, Role};
use xielu::convert::TensorReport;
use xielu::imatrix::ImportanceMatrix;
use xielu::quant::WEIGHTED;

pub fn read(path: &Path) -> anyhow::Result<ImportanceMatrix> {
    let shown = path.display();
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {shown}"))?;
    ImportanceMatrix::parse(&bytes).with_context(|| format!("cannot use {shown}"))
}

/// An error if the matrix knows nothing of any model's first layer.
pub fn check(matrix: &ImportanceMatrix, path: &Path) -> anyhow::Result<()> {
    let known = |role| matrix.weights(&Role::Layer(0, role).to_string()).is_some();
    if ![LayerRole::AttnQ, LayerRole::AttnOutput, LayerRole::FfnDown].into_iter().any(known) {
        bail!("{} has no entry for this model's matrices", path.display());
    }
    Ok(())
}

/// Which tensors were written without weights, and why.
pub fn notes(reports: &[TensorReport]) -> Vec<String> {
    let encoded = || reports.iter().filter(|r| r.from != r.to && !r.weighted);
    let unknown = encoded().filter(|r| WEIGHTED.contains(&r.to));
    let unused = encoded().filter(|r| r.to.is_quantized() && !WEIGHTED.contains(&r.to));
    let names = |tensors: Vec<&TensorReport>| match tensors.as_slice() {
        [] => None,
        [one] => Some(one.name.clone()),
        [first, second] => Some(format!("{} and {}", first.name, second.name)),
        [first, ..] => Some(format!("{} tensors ({} and others)", tensors.len(), first.name)),
    };
    let unknown = names(unknown.collect());
    let unused = names(unused.collect());
    let lines = [
        unknown
            .map(|names| format!("{names}: written without weights, of which the matrix has none")),
        unused.map(|names| format!("{names}: of a type that has no use for weights")),
    ];
    lines.into_iter().flatten().collect()
}
