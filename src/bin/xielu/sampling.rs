//! How tokens are drawn: by the user's choice, or as a model's authors recommend.

use anyhow::bail;
use xielu::checkpoint::{ModelView, Sampling};
use xielu::llama::SamplerOptions;
use xielu::session::recommended_sampling;

/// Without a choice the likeliest token is taken, whatever the model's files recommend: the same
/// tokens each time, which can be compared.
#[derive(Debug, clap::Args)]
pub struct SamplingArgs {
    /// Temperature; 0 always takes the likeliest token, as when it is not given
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
}

/// Where neither the user nor the model's files say anything.
const DEFAULT: SamplerOptions =
    SamplerOptions { temperature: 0.0, top_k: 40, top_p: 0.95, seed: 0 };

impl SamplingArgs {
    /// The sampler's options, checked.
    pub fn options(&self, view: &ModelView<'_>, seed: u64) -> anyhow::Result<SamplerOptions> {
        let otherwise = match self.model_sampling {
            true => recommended(&recommended_sampling(view)?)?,
            false => DEFAULT,
        };
        let temperature = self.temp.unwrap_or(otherwise.temperature);
        let top_k = self.top_k.unwrap_or(otherwise.top_k);
        let top_p = self.top_p.unwrap_or(otherwise.top_p);
        if !(temperature >= 0.0 && temperature.is_finite()) {
            bail!("--temp {temperature} is not a temperature; give 0 or more");
        }
        if !(top_p > 0.0 && top_p <= 1.0) {
            bail!("--top-p {top_p} is not a probability above 0");
        }
        Ok(SamplerOptions { temperature, top_k, top_p, seed })
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
