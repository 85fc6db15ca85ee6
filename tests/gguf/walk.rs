//! Everything a reader of a GGUF file can do to it. Shared with the fuzz target.

use xielu::checkpoint::gguf::{Gguf, GgufError, Value};
use xielu::checkpoint::{Checkpoint, LayerRole, Role};
use xielu::kernels::Blocks;

/// Parses `bytes` and, if they are a GGUF file, visits all that it holds and checks what the
/// reader promises of a checked file.
pub fn walk(bytes: &[u8]) -> Result<(), GgufError> {
    let gguf = match Gguf::parse(bytes) {
        Ok(gguf) => gguf,
        Err(e) => {
            assert!(e.offset <= bytes.len() as u64);
            assert!(!e.to_string().contains('\n'));
            return Err(e);
        }
    };
    walk_metadata(&gguf);
    walk_tensors(&gguf, bytes);
    walk_model(&gguf);
    Ok(())
}

fn walk_metadata(gguf: &Gguf<'_>) {
    let mut pairs = 0;
    for (key, value) in gguf.metadata() {
        pairs += 1;
        if let Value::Array(array) = value {
            assert_eq!(array.iter().count(), array.len());
            assert!(array.iter().all(|v| v.value_type() == array.element_type()));
            let typed = [
                array.f32s().map(|values| values.count()),
                array.u32s().map(|values| values.count()),
                array.i32s().map(|values| values.count()),
                array.strs().map(|values| values.count()),
            ];
            assert!(typed.into_iter().flatten().all(|count| count == array.len()));
        }
        let found = gguf.get(key).unwrap();
        assert_eq!(found.value_type(), value.value_type());
    }
    assert_eq!(pairs, gguf.metadata().len());
}

fn walk_tensors(gguf: &Gguf<'_>, bytes: &[u8]) {
    let mut count = 0;
    let mut end = 0;
    for info in gguf.tensors() {
        count += 1;
        assert!(matches!(info.dims().len(), 1..=4));
        assert_eq!(info.elements(), info.dims().iter().product::<u64>());
        assert!(info.offset >= end && info.offset.is_multiple_of(gguf.alignment().into()));
        assert_eq!(gguf.tensor_info(info.name), Some(info));
        let data = gguf.tensor_data(&info);
        assert_eq!(data.map(|d| d.len() as u64), info.byte_len());
        if let Some(data) = data {
            end = info.offset + data.len() as u64;
            let start = data.as_ptr() as usize - bytes.as_ptr() as usize;
            assert!(start + data.len() <= bytes.len());
            assert!(start.is_multiple_of(gguf.alignment() as usize));
        }
    }
    assert_eq!(count, gguf.tensors().len());
}

fn walk_model(gguf: &Gguf<'_>) {
    let layers = gguf.config().map_or(2, |config| {
        assert_eq!(config.validate(), Ok(()));
        config.num_layers.min(8)
    });
    let global = [Role::TokenEmbd, Role::OutputNorm, Role::Output, Role::RopeFreqs];
    let layered = (0..layers).flat_map(|n| LayerRole::ALL.map(|role| Role::Layer(n, role)));
    for role in global.into_iter().chain(layered) {
        match gguf.tensor(role) {
            Ok(None) => {}
            Ok(Some(t)) => {
                assert_eq!(t.data.len(), t.rows * t.dtype.row_bytes(t.cols).unwrap());
                assert!(Blocks::new(t.dtype, t.data).is_some());
            }
            Err(e) => assert!(!e.to_string().contains('\n')),
        }
    }
    for layer in 0..=layers {
        if let Ok(raw) = gguf.raw_xielu(layer) {
            assert!([raw.alpha_p, raw.alpha_n, raw.beta, raw.eps].iter().all(|v| v.is_finite()));
        }
    }
    gguf.prefixed_alpha_keys();
}
