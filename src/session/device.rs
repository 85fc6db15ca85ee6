//! What a session does with a CUDA device before it computes there.

use std::format;

use super::{SessionError, SessionOptions};
use crate::llama::{CudaDecoder, Model, ReserveError};

/// Opens the device that the options name, if they name one: before anything is read of the
/// weights.
pub(super) fn open(
    model: &Model<'_, '_>,
    options: &SessionOptions,
) -> Result<Option<CudaDecoder>, SessionError> {
    let Some(device) = options.device else { return Ok(None) };
    Ok(Some(CudaDecoder::open(device, model, options.kv_type, options.batch)?))
}

/// Why there is no room on the device, in words.
pub(super) fn check(result: Result<(), ReserveError>, context: usize) -> Result<(), SessionError> {
    result.map_err(|e| match e {
        ReserveError::Failed(e) => e.into(),
        ReserveError::Memory { needed, free } => SessionError::DeviceMemory {
            what: format!("the model and a context of {context} tokens take"),
            bytes: needed,
            free,
        },
    })
}
