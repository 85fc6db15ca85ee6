//! A conversion behind a progress bar.

use anyhow::bail;
use indicatif::{ProgressBar, ProgressStyle};
use xielu::convert::{Conversion, ConvertError, Output, TensorReport, Types};

use crate::interrupt;

/// Writes the file behind a progress bar; errors in words.
pub fn convert(
    conversion: &Conversion<'_, '_>,
    output: Output<'_>,
    types: &Types,
) -> anyhow::Result<Vec<TensorReport>> {
    let style = ProgressStyle::with_template("{bar:32} {bytes}/{total_bytes}, {eta} left, {msg}");
    let bar = ProgressBar::new(0).with_style(style.unwrap_or(ProgressStyle::default_bar()));
    let reports = conversion.write(output, types, |p| {
        bar.set_length(p.total);
        bar.set_position(p.done);
        bar.set_message(p.tensor.to_owned());
        interrupt::go_on()
    });
    bar.finish_and_clear();
    match reports {
        Ok(reports) => Ok(reports),
        Err(ConvertError::Cancelled) => bail!("interrupted; nothing was written"),
        // These texts name their causes themselves.
        Err(e @ ConvertError::Io { .. }) => bail!("{e}"),
        Err(e @ ConvertError::Exists(_)) => bail!("{e}; give --force to replace it"),
        Err(e) => bail!("cannot convert the model: {e}"),
    }
}
