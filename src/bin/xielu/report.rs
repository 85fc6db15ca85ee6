//! An error as its user reads it: one line that says what is wrong and what to do.

use std::io;

use xielu::checkpoint::gguf::{GgufError, GgufErrorKind};
use xielu::checkpoint::hf::HfError;
use xielu::llama::KvType;
use xielu::{Error, NonFinite, escaped};

/// The error and its causes, without those that the text before already names, and a hint.
pub fn message(error: &anyhow::Error) -> String {
    let mut message = String::new();
    for cause in error.chain() {
        let text = cause.to_string();
        if message.is_empty() {
            message = text;
        } else if !message.contains(&text) {
            message = format!("{message}: {text}");
        }
    }
    if let Some(hint) = error.chain().find_map(hint) {
        message = format!("{message}; {hint}");
    }
    escaped(&message.replace('\n', " ")).to_string()
}

/// Whether the reader of the output has gone (`xielu ... | head`).
pub fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let kinds = error.chain().filter_map(|cause| cause.downcast_ref::<io::Error>());
    kinds.map(io::Error::kind).any(|kind| kind == io::ErrorKind::BrokenPipe)
}

/// What the user can do about `cause`, where its own text does not say.
fn hint(cause: &(dyn std::error::Error + 'static)) -> Option<&'static str> {
    if let Some(error) = cause.downcast_ref::<Error>() {
        return match error {
            Error::UnsupportedArchitecture(_) => Some(
                "use a model of the architecture apertus (xIELU), llama (SwiGLU) or xielu-llama",
            ),
            Error::UnsupportedType { .. } => Some(
                "make a file of types F32, F16, BF16, Q8_0, Q6_K, Q5_K, Q4_K or Q4_0, \
                 for example with `xielu quantize` from the original model",
            ),
            Error::Gguf(_) | Error::MissingTensor(_) | Error::MissingKey(_) => {
                Some("the file may be damaged or incomplete: download or convert it again")
            }
            Error::NonFinite(NonFinite::KvCache { kv_type: KvType::BF16, .. }) => {
                Some("give --kv-type f32")
            }
            Error::NonFinite(NonFinite::KvCache { .. }) => Some("give --kv-type bf16 or f32"),
            Error::NonFinite(_) => Some("`xielu selftest MODEL` finds damaged weights"),
            Error::ContextFull { .. } => Some("raise --context or shorten the input"),
            _ => None,
        };
    }
    if let Some(error) = cause.downcast_ref::<GgufError>() {
        return Some(match error.kind {
            GgufErrorKind::BadMagic => "give a GGUF file or a Hugging Face model directory",
            GgufErrorKind::BigEndian | GgufErrorKind::UnsupportedVersion(_) => {
                "convert the model again, with a current converter and for little-endian machines"
            }
            _ => "the file may be damaged or incomplete: download or convert it again",
        });
    }
    match cause.downcast_ref::<HfError>()? {
        HfError::MissingTensor(_) | HfError::NoWeights(_) | HfError::Safetensors { .. } => {
            Some("the directory may be incomplete: download the model again")
        }
        _ => None,
    }
}
