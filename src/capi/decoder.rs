//! The decoder: tokens in, logits out.

use core::ffi::c_void;

use super::Status;
use super::backend::backend;
use super::mlp::tile_of;
use super::object::{self, Object, Place};
use super::pointer::{In, Out, Region, read, separate};
use super::status::call;
use super::{xielu_config, xielu_model};
use crate::llama::{Decoder, DecoderMemory, DecoderOptions, KvCache, KvType};
use crate::{Config, Error};

/// Keys and values as IEEE halves: the default.
pub const XIELU_KV_F16: u32 = 0;
/// Keys and values as bfloat16.
pub const XIELU_KV_BF16: u32 = 1;
/// Keys and values as floats.
pub const XIELU_KV_F32: u32 = 2;
/// Keys and values in 8 bits, with a scale for every 32: head_dim is a multiple of 32.
pub const XIELU_KV_Q8_0: u32 = 3;

/// What trades memory for speed. All zeros are the least memory but for the MLP, which is whole.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct xielu_decoder_options {
    /// Positions of the KV cache; 0 is what the model was trained for.
    pub context: usize,
    /// Tokens of a prompt that go through the layers together; 0 is 1.
    pub batch: usize,
    /// Hidden values of the MLP held at a time, a multiple of what xielu_model_tile says (32, or 256
    /// where weights are K-quants); 0 is all.
    pub mlp_tile: usize,
    /// One of XIELU_KV_F16, XIELU_KV_BF16, XIELU_KV_F32 and XIELU_KV_Q8_0.
    pub kv_type: u32,
    /// Not 0: on the threads of the process's pool. The library must be built with them (feature
    /// rayon).
    pub parallel: u32,
}

/// The memory of a decoder, in bytes, besides the file and the objects. SIZE_MAX is more than this
/// machine can address.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct xielu_memory {
    /// For xielu_model_load, aligned as a pointer.
    pub layers_size: usize,
    /// For xielu_decoder_init, at any alignment.
    pub kv_cache_size: usize,
    /// For xielu_decoder_init, aligned as a float.
    pub scratch_size: usize,
    /// The logits of one token: output_vocab_size floats.
    pub logits_size: usize,
}

/// A decoder: a sequence of tokens on its way through a model. Opaque; it stays where it was made.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct xielu_decoder {
    _opaque: [usize; 48],
}

/// The decoder and all memory it uses: weights, layers, model, cache, scratch.
pub(super) struct Running {
    decoder: Decoder<'static, 'static, 'static>,
    uses: [Region; 5],
}

impl Object for xielu_decoder {
    type Value = Running;
    const KIND: usize = 0x7864_6563;
}

/// [`xielu_decoder_options`] as the library has them.
struct Options {
    context: usize,
    kv_type: KvType,
    decoder: DecoderOptions,
}

impl xielu_decoder_options {
    fn checked(self, config: &Config) -> Result<Options, Status> {
        let kv_type = match self.kv_type {
            XIELU_KV_F16 => KvType::F16,
            XIELU_KV_BF16 => KvType::BF16,
            XIELU_KV_F32 => KvType::F32,
            XIELU_KV_Q8_0 => KvType::Q8_0,
            _ => return Err(Status::Option),
        };
        kv_type.check(config).map_err(|e| match e {
            Error::Config(_) => Status::Option, // the shape is fine, but for this type
            e => e.into(),
        })?;
        let mlp_tile = tile_of(self.mlp_tile);
        if mlp_tile < config.intermediate_size && !mlp_tile.is_multiple_of(crate::kernels::QK) {
            return Err(Status::Tile);
        }
        let context = if self.context == 0 { config.context_length } else { self.context };
        let decoder = DecoderOptions { batch: self.batch.max(1), mlp_tile };
        Ok(Options { context, kv_type, decoder })
    }
}

/// Says how much memory a decoder takes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xielu_decoder_memory(
    config: *const xielu_config,
    options: *const xielu_decoder_options,
    memory: *mut xielu_memory,
) -> Status {
    call(|| {
        let out = Out::new(memory, 1)?;
        // SAFETY: the module's contract.
        let config = unsafe { read(config) }?.checked()?;
        // SAFETY: the module's contract.
        let o = unsafe { read(options) }?.checked(&config)?;
        let m = DecoderMemory::new(&config, &o.decoder, o.context, o.kv_type);
        let memory = xielu_memory {
            layers_size: m.layers,
            kv_cache_size: m.kv_cache,
            scratch_size: m.scratch,
            logits_size: m.logits,
        };
        // SAFETY: the module's contract; nothing is borrowed.
        unsafe { out.write(memory) };
        Ok(())
    })
}

/// Makes a decoder at position 0. XIELU_STATUS_TILE if the tile is no multiple of what
/// xielu_model_tile says: xielu_decoder_memory, which does not know the weights, cannot tell. It uses the model, the cache and the scratch, whose sizes are
/// those of xielu_decoder_memory, as long as it lives; what they hold does not matter.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xielu_decoder_init(
    model: *const xielu_model,
    options: *const xielu_decoder_options,
    kv_cache: *mut c_void,
    kv_cache_size: usize,
    scratch: *mut c_void,
    scratch_size: usize,
    decoder: *mut xielu_decoder,
) -> Status {
    call(|| {
        // SAFETY: the module's contract.
        let loaded = unsafe { object::get(model) }?;
        let config = loaded.model.config();
        // SAFETY: the module's contract.
        let given = unsafe { read(options) }?;
        let o = given.checked(config)?;
        let place = Place::new(decoder)?;
        let cache = Out::<u8>::of_bytes(kv_cache, kv_cache_size)?;
        let scratch = Out::<f32>::of_bytes(scratch, scratch_size)?;
        let reads = [object::region(model)?, loaded.bytes, loaded.layers];
        separate(&[place.region(), cache.region(), scratch.region()], &reads)?;
        let [model, bytes, layers] = reads;
        let uses = [model, bytes, layers, cache.region(), scratch.region()];
        // SAFETY: the module's contract, and what is written is separate from what is read.
        let (cache, scratch) = unsafe { (cache.get(), scratch.get()) };
        let cache = KvCache::new(config, o.context, o.kv_type, cache)?;
        let decoder =
            Decoder::new(&loaded.model, backend(given.parallel)?, o.decoder, cache, scratch)?;
        // SAFETY: the module's contract, and the object is separate from all else.
        unsafe { place.fill(Running { decoder, uses }) };
        Ok(())
    })
}

/// A decoder to use, and memory given to the call, separate from all that the decoder uses.
///
/// # Safety
/// The module's contract.
unsafe fn running<'a>(
    decoder: *mut xielu_decoder,
    given: Region,
) -> Result<&'a mut Decoder<'static, 'static, 'static>, Status> {
    // SAFETY: the module's contract.
    let running = unsafe { object::get_mut(decoder) }?;
    separate(&[given], &running.uses)?;
    separate(&[given], &[object::region(decoder)?])?;
    Ok(&mut running.decoder)
}

/// Decodes n tokens after what came before, in batches; xielu_decoder_logits then has what follows
/// the last. If they do not fit the cache, nothing is decoded. If one is beyond the vocabulary, the
/// batches before its own are.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xielu_decoder_prompt(
    decoder: *mut xielu_decoder,
    tokens: *const u32,
    n: usize,
) -> Status {
    call(|| {
        let tokens = In::new(tokens, n)?;
        // SAFETY: the module's contract.
        let decoder = unsafe { running(decoder, tokens.region()) }?;
        // SAFETY: the module's contract, and they are separate from what the decoder writes.
        decoder.prompt(unsafe { tokens.get() })?;
        Ok(())
    })
}

/// Writes the logits of the last tokens of the last batch: n is a multiple of output_vocab_size, at
/// most as many tokens as the batch had. With n = output_vocab_size they say what follows the last token.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xielu_decoder_logits(
    decoder: *mut xielu_decoder,
    logits: *mut f32,
    n: usize,
) -> Status {
    call(|| {
        let logits = Out::new(logits, n)?;
        // SAFETY: the module's contract.
        let decoder = unsafe { running(decoder, logits.region()) }?;
        // SAFETY: the module's contract, and they are separate from what the decoder uses.
        decoder.logits(unsafe { logits.get() })?;
        Ok(())
    })
}

/// Decodes one token and writes the n = output_vocab_size logits of what follows it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xielu_decoder_step(
    decoder: *mut xielu_decoder,
    token: u32,
    logits: *mut f32,
    n: usize,
) -> Status {
    call(|| {
        let logits = Out::new(logits, n)?;
        // SAFETY: the module's contract.
        let decoder = unsafe { running(decoder, logits.region()) }?;
        if n != decoder.model().config().output_vocab_size {
            return Err(Status::Length);
        }
        // SAFETY: the module's contract, and they are separate from what the decoder uses.
        decoder.step(token, unsafe { logits.get() })?;
        Ok(())
    })
}

/// Says how many positions are decoded.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xielu_decoder_position(
    decoder: *const xielu_decoder,
    position: *mut usize,
) -> Status {
    call(|| {
        let out = Out::new(position, 1)?;
        // SAFETY: the module's contract.
        let running = unsafe { object::get(decoder) }?;
        separate(&[out.region()], &running.uses)?;
        separate(&[out.region()], &[object::region(decoder)?])?;
        // SAFETY: the module's contract, and it is separate from what the decoder uses.
        unsafe { out.write(running.decoder.position()) };
        Ok(())
    })
}

/// Goes back to a position, no further than now, forgetting what came after.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xielu_decoder_rewind(
    decoder: *mut xielu_decoder,
    position: usize,
) -> Status {
    call(|| {
        // SAFETY: the module's contract.
        unsafe { running(decoder, Region::EMPTY) }?.rewind(position);
        Ok(())
    })
}
