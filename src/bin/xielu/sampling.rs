//! How tokens are drawn: by the user's choice, or as a model's authors recommend.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::str::FromStr;

use anyhow::bail;
use xielu::checkpoint::{ModelView, Sampling};
use xielu::llama::SamplerOptions;
use xielu::session::{StopTexts, recommended_sampling};

/// What [`Otherwise`] says counts where nothing is chosen: `generate` takes the likeliest token,
/// whatever the model's files recommend: the same tokens each time, which can be compared.
#[derive(Debug, clap::Args)]
pub struct SamplingArgs {
    /// Temperature; 0 always takes the likeliest token
    #[arg(long, value_name = "T", allow_negative_numbers = true)]
    temp: Option<f32>,
    /// Sample among the K likeliest tokens only; 0 takes all [default: 40]
    #[arg(long, value_name = "K")]
    top_k: Option<usize>,
    /// Sample among the likeliest tokens that together have this probability [default: 0.95]
    #[arg(long, value_name = "P", allow_negative_numbers = true)]
    top_p: Option<f32>,
    /// Sample as the model's files recommend (generation_config.json, general.sampling.*), where
    /// the options above are not given
    #[arg(long)]
    model_sampling: bool,
    /// Seed of the sampler: the same seed gives the same text; -1 takes another each time
    #[arg(
        long,
        short_alias = 's',
        value_name = "N",
        default_value = "0",
        allow_negative_numbers = true
    )]
    seed: Seed,
    /// Stop where this text begins, and print nothing of it; may be given several times
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    stop: Vec<String>,
}

/// How tokens are drawn where the user says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Otherwise {
    /// The likeliest token is taken.
    Greedy,
    /// As the model's files recommend, if they recommend anything.
    Recommended,
}

/// The sampler's seed; `None` is one that nobody chose.
#[derive(Clone, Copy, Debug)]
struct Seed(Option<u64>);

impl FromStr for Seed {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "-1" => Ok(Seed(None)),
            _ => Ok(Seed(Some(text.parse().map_err(|_| "not a number from 0 to 2^64 - 1")?))),
        }
    }
}

impl Seed {
    /// The seed, which is said if nobody chose it.
    fn get(self) -> u64 {
        self.0.unwrap_or_else(|| {
            // The keys of hash maps are the standard library's only random numbers.
            let seed = RandomState::new().build_hasher().finish();
            tell!("seed {seed}");
            seed
        })
    }
}

/// Where neither the user nor the model's files say anything.
const DEFAULT: SamplerOptions =
    SamplerOptions { temperature: 0.0, top_k: 40, top_p: 0.95, seed: 0 };

impl SamplingArgs {
    /// The sampler's options, checked.
    pub fn options(
        &self,
        view: &ModelView<'_>,
        otherwise: Otherwise,
    ) -> anyhow::Result<SamplerOptions> {
        let model = match (self.model_sampling, otherwise) {
            (true, _) => Some(recommended_sampling(view)?),
            (false, Otherwise::Greedy) => None,
            (false, Otherwise::Recommended) => {
                Some(recommended_sampling(view)?).filter(|model| !model.is_empty())
            }
        };
        let otherwise = model.map_or(Ok(DEFAULT), |model| recommended(&model))?;
        let temperature = self.temp.unwrap_or(otherwise.temperature);
        let top_k = self.top_k.unwrap_or(otherwise.top_k);
        let top_p = self.top_p.unwrap_or(otherwise.top_p);
        if !(temperature >= 0.0 && temperature.is_finite()) {
            bail!("--temp {temperature} is not a temperature; give 0 or more");
        }
        if !(top_p > 0.0 && top_p <= 1.0) {
            bail!("--top-p {top_p} is not a probability above 0");
        }
        Ok(SamplerOptions { temperature, top_k, top_p, seed: self.seed.get() })
    }

    /// The texts that end a generation.
    pub fn stops(&self) -> StopTexts {
        StopTexts::new(self.stop.iter().cloned())
    }
}

/// What a model's files recommend; says what of it this sampler cannot do.
fn recommended(model: &Sampling) -> anyhow::Result<SamplerOptions> {
    if model.is_empty() {
        bail!("the model's files recommend no sampling; give --temp instead of --model-sampling");
    }
    let mut without = Vec::new();
    without.extend(model.min_p.filter(|&p| p > 0.0).map(|p| format!("min-p {p}")));
    let penalty = model.repetition_penalty.filter(|&penalty| penalty != 1.0);
    without.extend(penalty.map(|penalty| format!("a repetition penalty of {penalty}")));
    if !without.is_empty() {
        let without = without.join(" and ");
        tell!("note: the model's files recommend {without} too, which this sampler does not have");
    }
    Ok(SamplerOptions::recommended(model))
}
