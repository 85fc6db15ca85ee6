//! Configurations that are ready to run.

use super::{TrainConfig, TrainError};

/// A configuration that is ready to run.
#[derive(Clone, Copy, Debug)]
pub struct Preset {
    /// Its name.
    pub name: &'static str,
    /// Its TOML.
    pub toml: &'static str,
}

macro_rules! presets {
    ($($name:literal),*) => {
        [$(Preset { name: $name, toml: include_str!(concat!("presets/", $name, ".toml")) }),*]
    };
}

/// All presets, the smallest first.
pub const PRESETS: [Preset; 6] =
    presets!["smoke", "tiny", "100m", "apertus-0.5b", "paper-1.1b", "paper-3b"];

impl Preset {
    /// The preset called `name`.
    pub fn find(name: &str) -> Option<&'static Preset> {
        PRESETS.iter().find(|preset| preset.name == name)
    }

    /// What it is, in a sentence.
    pub fn about(&self) -> &'static str {
        let line = self.toml.lines().next().unwrap_or_default();
        line.trim_start_matches(['#', ' '])
    }

    /// Its configuration.
    ///
    /// # Errors
    /// None for the presets of this crate.
    pub fn config(&self) -> Result<TrainConfig, TrainError> {
        TrainConfig::from_toml(self.toml)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presets_have_the_sizes_of_their_names() {
        let sizes = [
            ("smoke", 0.03e6..0.05e6),
            ("tiny", 1_148_288.0..1_148_300.0),
            ("100m", 100e6..115e6),
            ("apertus-0.5b", 0.4e9..0.5e9),
            ("paper-1.1b", 1.05e9..1.15e9),
            ("paper-3b", 3e9..3.4e9),
        ];
        assert_eq!(sizes.len(), PRESETS.len());
        for (name, size) in sizes {
            let preset = Preset::find(name).unwrap();
            let parameters = preset.config().unwrap().model.parameter_count().unwrap();
            assert!(size.contains(&(parameters as f64)), "{name}: {parameters}");
            assert!(preset.about().ends_with(['.', ')']), "{}", preset.about());
        }
        assert!(Preset::find("none").is_none());
    }

    #[test]
    fn the_papers_tokens() {
        for name in ["paper-1.1b", "paper-3b"] {
            let config = Preset::find(name).unwrap().config().unwrap();
            let tokens = config.tokens_per_step() as f64 * config.schedule.total_steps as f64;
            assert!((tokens / 125e9 - 1.0).abs() < 0.01, "{name}: {tokens}");
        }
    }
}
