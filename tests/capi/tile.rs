//! A tile that cuts the blocks of a model's weights is refused when the decoder is made, not at its
//! first token.

use xielu::capi::*;
use xielu::kernels::DType;

use crate::support::narrow::narrow;
use crate::support::{Memory, config_of, open, zeroed};

/// What making a decoder with this tile says, and its first prompt where there is a decoder.
fn tried(gguf: &xielu_gguf, tile: usize) -> (Status, Option<Status>, usize) {
    let config = config_of(gguf);
    let options = xielu_decoder_options { context: 8, mlp_tile: tile, ..zeroed() };
    let mut size: xielu_memory = zeroed();
    let (mut model, mut decoder) = (Box::new(zeroed()), Box::new(zeroed()));
    let mut multiple = 0;
    // SAFETY: all are live and as large as was said.
    unsafe {
        assert_eq!(xielu_decoder_memory(&config, &options, &mut size), Status::Ok);
        let [mut layers, mut kv, mut scratch] =
            [size.layers_size, size.kv_cache_size, size.scratch_size].map(Memory::new);
        assert_eq!(xielu_model_load(gguf, layers.at(), layers.size, &mut *model), Status::Ok);
        assert_eq!(xielu_model_tile(&*model, &mut multiple), Status::Ok);
        let (kv, kv_size, scratch, scratch_size) = (kv.at(), kv.size, scratch.at(), scratch.size);
        let made = xielu_decoder_init(
            &*model,
            &options,
            kv,
            kv_size,
            scratch,
            scratch_size,
            &mut *decoder,
        );
        let prompt = (made == Status::Ok)
            .then(|| xielu_decoder_prompt(&mut *decoder, [1u32, 2, 3].as_ptr(), 3));
        (made, prompt, multiple)
    }
}

#[test]
fn what_is_not_refused_runs() {
    for (dtype, from, multiple) in [
        (DType::Q8_0, 0, 32),
        (DType::Q4_0, 0, 32),
        (DType::F16, 0, 32),
        (DType::Q4_K, 0, 256),
        (DType::Q5_K, 0, 256),
        (DType::Q6_K, 3, 256), // the last layer alone, as mixtures have it
    ] {
        let bytes = narrow(dtype, from);
        let gguf = open(&bytes);
        for tile in [32, 64, 96, 160, 224, 256, 288, 480, 512, 544, 0] {
            let fits = tile == 0 || tile >= 512 || tile % multiple == 0;
            let expected = if fits { (Status::Ok, Some(Status::Ok)) } else { (Status::Tile, None) };
            let (made, prompt, told) = tried(&gguf, tile);
            assert_eq!(((made, prompt), told), (expected, multiple), "{dtype:?} {tile}");
        }
    }
}

#[test]
fn what_is_no_model_has_no_tile() {
    let mut multiple = 7;
    // SAFETY: what is not NULL is live.
    unsafe {
        assert_eq!(xielu_model_tile(std::ptr::null(), &mut multiple), Status::Null);
        assert_eq!(xielu_model_tile(&zeroed(), &mut multiple), Status::Uninitialized);
    }
    assert_eq!(multiple, 7);
}
