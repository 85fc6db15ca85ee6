//! From logits to the next token.

use super::Status;
use super::object::{self, Object, Place};
use super::pointer::{In, Out, read, separate};
use super::status::call;
use crate::llama::{Sampler, SamplerOptions};

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
