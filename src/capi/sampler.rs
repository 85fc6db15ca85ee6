//! From logits to the next token.

use super::Status;
use super::object::{self, Object, Place};
use super::pointer::{In, Out, read, separate};
use super::status::call;
use crate::llama::{Cuts, Penalties, Sampler, SamplerOptions};

/// How tokens are drawn. All zeros always take the likeliest.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct xielu_sampler_options {
    /// The same seed draws the same tokens.
    pub seed: u64,
    /// Only the k likeliest tokens; 0 is all.
    pub top_k: usize,
    /// Divides the logits; 0 always takes the likeliest.
    pub temperature: f32,
    /// Only the likeliest tokens that together have this probability; 0 and 1 are all.
    pub top_p: f32,
}

/// Draws tokens. Opaque; it stays where it was made.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct xielu_sampler {
    _opaque: [u64; 6],
}

/// How the logits of tokens that have occurred are lowered. All zeros change nothing.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct xielu_penalties {
    /// Divides logits above 0 and multiplies the others; 0 and 1 change nothing.
    pub repetition: f32,
    /// Subtracted once from what occurred.
    pub presence: f32,
    /// Subtracted for each time that a token occurred.
    pub frequency: f32,
}

/// Which tokens may be drawn. All zeros are all.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct xielu_cuts {
    /// Only the k likeliest tokens; 0 is all.
    pub top_k: usize,
    /// The sampler's; 0 forbids nothing, since the likeliest token is taken then.
    pub temperature: f32,
    /// Only the likeliest tokens that together have this probability; 0 and 1 are all.
    pub top_p: f32,
    /// Only tokens of at least this share of the likeliest one's probability; 0 is all.
    pub min_p: f32,
    /// Only the tokens that are about as surprising as is to be expected and that together have this
    /// probability; 0 and 1 are all.
    pub typical_p: f32,
}

impl xielu_penalties {
    fn checked(self) -> Result<Penalties, Status> {
        let xielu_penalties { repetition, presence, frequency } = self;
        let finite = presence.is_finite() && frequency.is_finite() && repetition.is_finite();
        if !finite || repetition < 0.0 {
            return Err(Status::Option);
        }
        let repetition = if repetition == 0.0 { 1.0 } else { repetition };
        Ok(Penalties { repetition, presence, frequency })
    }
}

impl xielu_cuts {
    fn checked(self) -> Result<Cuts, Status> {
        let xielu_cuts { top_k, temperature, top_p, min_p, typical_p } = self;
        let mut shares = [top_p, min_p, typical_p].into_iter();
        let usable = temperature.is_finite() && temperature >= 0.0;
        if !usable || !shares.all(|p| (0.0..=1.0).contains(&p)) {
            return Err(Status::Option);
        }
        let or_all = |p: f32| if p == 0.0 { 1.0 } else { p };
        let (top_p, typical_p) = (or_all(top_p), or_all(typical_p));
        Ok(Cuts { temperature, top_k, top_p, min_p, typical_p })
    }
}

impl Object for xielu_sampler {
    type Value = Sampler;
    const KIND: usize = 0x7873_616d;
}

impl xielu_sampler_options {
    fn checked(self) -> Result<SamplerOptions, Status> {
        let xielu_sampler_options { seed, top_k, temperature, top_p } = self;
        let usable = temperature.is_finite() && temperature >= 0.0 && (0.0..=1.0).contains(&top_p);
        if !usable {
            return Err(Status::Option);
        }
        let top_p = if top_p == 0.0 { 1.0 } else { top_p };
        Ok(SamplerOptions { temperature, top_k, top_p, seed })
    }
}

/// Makes a sampler at the start of its random sequence.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xielu_sampler_init(
    options: *const xielu_sampler_options,
    sampler: *mut xielu_sampler,
) -> Status {
    call(|| {
        let place = Place::new(sampler)?;
        // SAFETY: the module's contract.
        let options = unsafe { read(options) }?.checked()?;
        // SAFETY: the module's contract; nothing is borrowed.
        unsafe { place.fill(Sampler::new(options)) };
        Ok(())
    })
}

/// Draws a token from n logits, at least one. One of minus infinity forbids its token; NaN and plus
/// infinity are XIELU_STATUS_NON_FINITE.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xielu_sampler_sample(
    sampler: *mut xielu_sampler,
    logits: *const f32,
    n: usize,
    token: *mut u32,
) -> Status {
    call(|| {
        if n == 0 {
            return Err(Status::Length);
        }
        let (logits, out) = (In::new(logits, n)?, Out::new(token, 1)?);
        separate(&[object::region(sampler)?, out.region()], &[logits.region()])?;
        // SAFETY: the module's contract.
        let sampler = unsafe { object::get_mut(sampler) }?;
        // SAFETY: the module's contract, and they are separate from what is written.
        let token = sampler.sample(unsafe { logits.get() })?;
        // SAFETY: the module's contract.
        unsafe { out.write(token) };
        Ok(())
    })
}

/// Lowers n logits by how often the token of the same place has occurred: what the caller counted,
/// of the whole text or of its last tokens. For xielu_sampler_sample.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xielu_penalize(
    penalties: *const xielu_penalties,
    counts: *const u32,
    logits: *mut f32,
    n: usize,
) -> Status {
    call(|| {
        let (counts, logits) = (In::new(counts, n)?, Out::new(logits, n)?);
        separate(&[logits.region()], &[counts.region()])?;
        // SAFETY: the module's contract.
        let penalties = unsafe { read(penalties) }?.checked()?;
        // SAFETY: the module's contract; what is written is separate from what is read.
        let (counts, logits) = unsafe { (counts.get(), logits.get()) };
        penalties.apply(logits, counts);
        Ok(())
    })
}

/// Makes those of n logits minus infinity whose tokens may not be drawn: top-k, top-p, min-p and
/// typical-p, in this order. For xielu_sampler_sample of a sampler with the same temperature.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xielu_cut(cuts: *const xielu_cuts, logits: *mut f32, n: usize) -> Status {
    call(|| {
        let logits = Out::new(logits, n)?;
        // SAFETY: the module's contract.
        let cuts = unsafe { read(cuts) }?.checked()?;
        // SAFETY: the module's contract.
        cuts.apply(unsafe { logits.get() });
        Ok(())
    })
}
