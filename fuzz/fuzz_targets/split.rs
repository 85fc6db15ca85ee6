//! No files make the reader of a model in several parts panic, loop, or promise what is not there.
//!
//! The input is several files: see [`xielu_fuzz::split`].
#![no_main]

use libfuzzer_sys::fuzz_target;
use xielu::checkpoint::gguf::{Gguf, SplitGguf};
use xielu::checkpoint::{Checkpoint, Role};

fuzz_target!(|bytes: &[u8]| {
    let parsed: Result<Vec<_>, _> =
        xielu_fuzz::split::parts(bytes).into_iter().map(Gguf::parse).collect();
    let Ok(parts) = parsed else { return };
    let model = match SplitGguf::new(&parts) {
        Ok(model) => model,
        Err(e) => {
            assert!(!e.to_string().contains('\n'), "{e}");
            return;
        }
    };
    let tensors: usize = parts.iter().map(|part| part.tensors().len()).sum();
    assert_eq!(model.tensors().count(), tensors);
    for (part, info) in model.tensors() {
        assert_eq!(part.tensor_data(&info).map(|data| data.len() as u64), info.byte_len());
    }
    if let Ok(config) = model.config() {
        assert_eq!(config.validate(), Ok(()));
        let _ = model.raw_xielu(0);
        for role in [Role::TokenEmbd, Role::OutputNorm, Role::Output] {
            let _ = model.tensor(role);
        }
    }
});

xielu_fuzz::mutator!(split);
