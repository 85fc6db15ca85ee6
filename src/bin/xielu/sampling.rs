//! How tokens are drawn: by the user's choice, or as a model's authors recommend.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::str::FromStr;

use anyhow::{anyhow, bail};
use xielu::Session;
use xielu::checkpoint::Sampling;
use xielu::llama::{ChainOptions, Penalties, SamplerOptions, SamplingError};
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
    /// Sample among the tokens that have at least this share of the likeliest one's probability; 0
    /// takes all [default: 0]
    #[arg(long, value_name = "P", allow_negative_numbers = true)]
    min_p: Option<f32>,
    /// Sample among the tokens that are about as surprising as is to be expected and that together
    /// have this probability; 1 takes all [default: 1]
    #[arg(long, alias = "typical", value_name = "P", allow_negative_numbers = true)]
    typical_p: Option<f32>,
    /// Divide the logits of tokens that have occurred by X where they are above 0, and multiply
    /// them by it where they are not; 1 changes nothing [default: 1]
    #[arg(long, alias = "repeat-penalty", value_name = "X", allow_negative_numbers = true)]
    repetition_penalty: Option<f32>,
    /// Subtract X from the logits of tokens that have occurred [default: 0]
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    presence_penalty: Option<f32>,
    /// Subtract X from the logits of tokens for each time that they have occurred [default: 0]
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    frequency_penalty: Option<f32>,
    /// Penalties count among the last N tokens, those of the prompt too; -1 is all [default: 64]
    #[arg(long, alias = "penalty-last-n", value_name = "N", allow_negative_numbers = true)]
    repeat_last_n: Option<Window>,
    /// Add to the logit of a token, by its id: 15+2.5, 15-1; 15-inf forbids it; may be given several
    /// times
    #[arg(long, short_alias = 'l', value_name = "ID(+|-)VALUE")]
    logit_bias: Vec<Bias>,
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

/// Of how many of the last tokens penalties count; `None` is all.
#[derive(Clone, Copy, Debug)]
struct Window(Option<usize>);

impl FromStr for Window {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "-1" => Ok(Window(None)),
            _ => Ok(Window(Some(text.parse().map_err(|_| "not a number of tokens, nor -1")?))),
        }
    }
}

/// What is added to the logit of a token.
#[derive(Clone, Copy, Debug)]
struct Bias(u32, f32);

impl FromStr for Bias {
    type Err = &'static str;

    /// `ID+VALUE`, `ID-VALUE`, as llama.cpp has it, and `ID=VALUE`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const WRONG: &str = "no ID+VALUE or ID-VALUE";
        let end = text.find(|c: char| !c.is_ascii_digit()).ok_or(WRONG)?;
        let (id, value) = text.split_at(end);
        let id = id.parse().map_err(|_| "no token's id before the value")?;
        let value = match value.strip_prefix('=') {
            Some(value) => value,
            None if value.starts_with(['+', '-']) => value,
            None => return Err(WRONG),
        };
        Ok(Bias(id, value.parse().map_err(|_| WRONG)?))
    }
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
    /// The options of what draws tokens, checked.
    pub fn options(&self, session: &Session, otherwise: Otherwise) -> anyhow::Result<ChainOptions> {
        let view = session.view();
        let model = match (self.model_sampling, otherwise) {
            (true, _) => Some(recommended_sampling(view)?),
            (false, Otherwise::Greedy) => None,
            (false, Otherwise::Recommended) => {
                Some(recommended_sampling(view)?).filter(|model| !model.is_empty())
            }
        };
        let mut options = model.map_or(Ok(DEFAULT.into()), |model| recommended(&model))?;
        let sampler = &mut options.sampler;
        sampler.temperature = self.temp.unwrap_or(sampler.temperature);
        sampler.top_k = self.top_k.unwrap_or(sampler.top_k);
        sampler.top_p = self.top_p.unwrap_or(sampler.top_p);
        options.min_p = self.min_p.unwrap_or(options.min_p);
        options.typical_p = self.typical_p.unwrap_or(options.typical_p);
        let Penalties { repetition, presence, frequency } = options.penalties;
        options.penalties = Penalties {
            repetition: self.repetition_penalty.unwrap_or(repetition),
            presence: self.presence_penalty.unwrap_or(presence),
            frequency: self.frequency_penalty.unwrap_or(frequency),
        };
        options.last_n = self.repeat_last_n.map_or(options.last_n, |window| window.0);
        options.bias = self.logit_bias.iter().map(|&Bias(id, value)| (id, value)).collect();
        let check = options.check(session.config().output_vocab_size);
        check.map_err(|wrong| anyhow!("{}{wrong}", self.option(&wrong)))?;
        options.sampler.seed = self.seed.get();
        Ok(options)
    }

    /// The texts that end a generation.
    pub fn stops(&self) -> StopTexts {
        StopTexts::new(self.stop.iter().cloned())
    }

    /// The option that sets what is wrong, to begin the sentence with.
    fn option(&self, wrong: &SamplingError) -> &'static str {
        let finite = |value: Option<f32>| value.is_none_or(f32::is_finite);
        match wrong {
            SamplingError::Temperature(_) => "--temp: ",
            SamplingError::TopP(_) => "--top-p: ",
            SamplingError::MinP(_) => "--min-p: ",
            SamplingError::TypicalP(_) => "--typical-p: ",
            SamplingError::Repetition(_) => "--repetition-penalty: ",
            SamplingError::Penalty(_) if finite(self.presence_penalty) => "--frequency-penalty: ",
            SamplingError::Penalty(_) => "--presence-penalty: ",
            SamplingError::NoSuchToken { .. } | SamplingError::Bias { .. } => "--logit-bias: ",
            SamplingError::Memory { .. } => "--repeat-last-n: ",
            _ => "",
        }
    }
}

/// What a model's files recommend.
fn recommended(model: &Sampling) -> anyhow::Result<ChainOptions> {
    if model.is_empty() {
        bail!("the model's files recommend no sampling; give --temp instead of --model-sampling");
    }
    Ok(ChainOptions::recommended(model))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn biases_as_llama_cpp_spells_them() {
        let of = |text: &str| text.parse().ok().map(|Bias(id, value)| (id, value));
        assert_eq!(of("15043+1"), Some((15043, 1.0)));
        assert_eq!(of("15043-1.5"), Some((15043, -1.5)));
        assert_eq!(of("2-inf"), Some((2, f32::NEG_INFINITY)));
        assert_eq!(of("2=-inf"), Some((2, f32::NEG_INFINITY)));
        assert_eq!(of("0=3"), Some((0, 3.0)));
        for bad in
            ["", "7", "+1", "a+1", "7*2", "7+", "7=", "7+x", "7 + 1", "99999999999+1", "-1+1"]
        {
            assert_eq!(of(bad), None, "{bad}");
        }
    }
}
