//! Where a run's configuration comes from: a file or a preset, and what the command line changes.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, bail};
use toml::{Table, Value};
use xielu::train::TrainConfig;
use xielu::train::presets::{PRESETS, Preset};

/// The configuration of a run and changes to it.
#[derive(Debug, clap::Args)]
pub struct ConfigArgs {
    /// Configuration file; see `--list` for ready ones
    #[arg(value_name = "CONFIG.toml", conflicts_with = "preset")]
    pub config: Option<PathBuf>,
    /// A configuration that is ready to run
    #[arg(long, value_name = "NAME")]
    pub preset: Option<String>,
    /// Change a key, such as `optimizer.learning_rate=1e-3`; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Text to train on: files, directories (their *.txt), glob patterns
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub data: Vec<PathBuf>,
    /// Text to measure the validation loss on
    #[arg(long, value_name = "FILE")]
    pub validation: Option<PathBuf>,
    /// tokenizer.json to use; trained on the text when not given
    #[arg(long, value_name = "FILE")]
    pub tokenizer: Option<PathBuf>,
    /// Optimiser steps of the run
    #[arg(long, value_name = "N")]
    pub steps: Option<u64>,
}

impl ConfigArgs {
    /// Whether nothing was given.
    pub fn is_empty(&self) -> bool {
        self.config.is_none()
            && self.preset.is_none()
            && self.set.is_empty()
            && self.data.is_empty()
            && self.validation.is_none()
            && self.tokenizer.is_none()
            && self.steps.is_none()
    }

    /// The checked configuration.
    pub fn read(&self) -> anyhow::Result<TrainConfig> {
        let (name, text) = self.source()?;
        let in_file = || format!("{name} cannot be used");
        let mut table: Table = toml::from_str(&text).with_context(in_file)?;
        let paths = |paths: &[PathBuf]| paths.iter().map(|path| absolute(path)).collect();
        if !self.data.is_empty() {
            let files: anyhow::Result<Vec<Value>> = paths(&self.data);
            set(&mut table, "data.train", Value::Array(files?))?;
        }
        for (key, path) in [("validation", &self.validation), ("tokenizer", &self.tokenizer)] {
            if let Some(path) = path {
                set(&mut table, &format!("data.{key}"), absolute(path)?)?;
            }
        }
        if let Some(steps) = self.steps {
            let steps = i64::try_from(steps).context("--steps is absurd")?;
            set(&mut table, "schedule.total_steps", Value::Integer(steps))?;
        }
        for change in &self.set {
            let (key, value) = change
                .split_once('=')
                .with_context(|| format!("--set {change} has no `=`; give KEY=VALUE"))?;
            set(&mut table, key.trim(), value_of(value.trim()))?;
        }
        TrainConfig::from_toml(&toml::to_string(&table)?).with_context(in_file)
    }

    fn source(&self) -> anyhow::Result<(String, String)> {
        match (&self.config, &self.preset) {
            (Some(path), _) => {
                let shown = path.display().to_string();
                let text = std::fs::read_to_string(path);
                Ok((shown.clone(), text.with_context(|| format!("cannot read {shown}"))?))
            }
            (None, Some(name)) => match Preset::find(name) {
                Some(preset) => Ok((format!("preset {name}"), preset.toml.into())),
                None => {
                    let names = PRESETS.map(|preset| preset.name).join(", ");
                    bail!("there is no preset {name}; there are {names}")
                }
            },
            (None, None) => bail!("give a CONFIG.toml or --preset NAME; --list shows the presets"),
        }
    }
}

/// A path that means the same when the run is resumed from elsewhere.
fn absolute(path: &Path) -> anyhow::Result<Value> {
    let path = std::path::absolute(path)?;
    let text = path.to_str().ok_or_else(|| anyhow!("{} is not UTF-8", path.display()))?;
    Ok(Value::String(text.into()))
}

/// Sets a dotted key, making tables on the way.
fn set(table: &mut Table, key: &str, value: Value) -> anyhow::Result<()> {
    let Some((first, rest)) = key.split_once('.') else {
        table.insert(key.into(), value);
        return Ok(());
    };
    let inner = table.entry(first).or_insert_with(|| Value::Table(Table::new()));
    match inner {
        Value::Table(inner) => set(inner, rest, value),
        _ => bail!("--set: {first} is a value, not a table"),
    }
}

/// A TOML value, or the text itself: `--set model.activation=relu2` needs no quotes.
fn value_of(text: &str) -> Value {
    let parsed = toml::from_str::<Table>(&format!("value = {text}"));
    let value = parsed.ok().filter(|table| table.len() == 1).and_then(|mut t| t.remove("value"));
    value.unwrap_or_else(|| Value::String(text.into()))
}

/// Prints what is ready to run.
pub fn list() -> anyhow::Result<()> {
    for preset in PRESETS {
        say!("{:<13} {}", preset.name, preset.about());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(set: &[&str]) -> ConfigArgs {
        ConfigArgs {
            config: None,
            preset: Some("smoke".into()),
            set: set.iter().map(|&s| s.into()).collect(),
            data: Vec::new(),
            validation: None,
            tokenizer: None,
            steps: Some(7),
        }
    }

    #[test]
    fn keys_are_set_and_checked() {
        let config = args(&["optimizer.learning_rate=1e-4", "model.activation=relu2"]).read();
        let config = config.unwrap();
        assert_eq!((config.optimizer.learning_rate, config.schedule.total_steps), (1e-4, 7));
        assert_eq!(config.model.activation, xielu::activation::ActivationKind::Relu2);
        for (set, says) in [
            ("optimizer.learning_rat=1", "learning_rat"),
            ("optimizer.learning_rate=fast", "fast"),
            ("optimizer.learning_rate", "no `=`"),
            ("run.seed.deep=1", "expected u64"),
            ("model.activation=gelu", "gelu"),
        ] {
            let error = format!("{:#}", args(&[set]).read().unwrap_err());
            assert!(error.contains(says), "{set}: {error}");
        }
    }
}
