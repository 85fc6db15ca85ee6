//! A decoder as a C program holds it.

use xielu::capi::*;

use crate::support::{Memory, config_of, model_bytes, open, zeroed};

pub const VOCAB: usize = 1024;
pub const PROMPT: [u32; 10] = [443, 372, 56, 539, 30, 54, 32, 66, 459, 313];
pub const OPTIONS: xielu_decoder_options =
    xielu_decoder_options { context: 64, batch: 4, mlp_tile: 32, kv_type: 0, parallel: 0 };

/// What a decoder needs.
pub fn memory(config: &xielu_config, options: &xielu_decoder_options) -> xielu_memory {
    let mut memory = zeroed();
    // SAFETY: all are live.
    assert_eq!(unsafe { xielu_decoder_memory(config, options, &mut memory) }, Status::Ok);
    memory
}

/// A decoder and everything it uses, as a C program would hold it.
pub struct Held {
    pub bytes: Vec<u8>,
    pub layers: Memory,
    pub kv: Memory,
    pub scratch: Memory,
    pub model: Box<xielu_model>,
    pub decoder: Box<xielu_decoder>,
}

impl Held {
    pub fn new(options: &xielu_decoder_options) -> Held {
        let bytes = model_bytes();
        let file = open(&bytes);
        let m = memory(&config_of(&file), options);
        let mut h = Held {
            bytes,
            layers: Memory::new(m.layers_size),
            kv: Memory::new(m.kv_cache_size),
            scratch: Memory::new(m.scratch_size),
            model: Box::new(zeroed()),
            decoder: Box::new(zeroed()),
        };
        // SAFETY: all are live, and `file` is not needed by the model.
        unsafe {
            let (layers, size) = (h.layers.at(), h.layers.size);
            assert_eq!(xielu_model_load(&*file, layers, size, &mut *h.model), Status::Ok);
            assert_eq!(h.init(options), Status::Ok);
        }
        h
    }

    /// # Safety
    /// None is needed: all is live.
    unsafe fn init(&mut self, options: &xielu_decoder_options) -> Status {
        let (kv, kv_size) = (self.kv.at(), self.kv.size);
        let (scratch, size) = (self.scratch.at(), self.scratch.size);
        // SAFETY: all are live.
        unsafe {
            xielu_decoder_init(
                &*self.model,
                options,
                kv,
                kv_size,
                scratch,
                size,
                &mut *self.decoder,
            )
        }
    }

    pub fn position(&self) -> usize {
        let mut position = usize::MAX;
        // SAFETY: both are live.
        assert_eq!(unsafe { xielu_decoder_position(&*self.decoder, &mut position) }, Status::Ok);
        position
    }
}
