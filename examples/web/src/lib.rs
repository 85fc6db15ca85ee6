//! The decoder for a web page, as JavaScript calls it from a worker: `Loader` takes a file as it
//! arrives, `Model` continues a prompt or a conversation
//! token by token. A module holds one model: the worker that
//! runs it goes as a whole.
#![forbid(unsafe_code)]

mod chat;
mod facts;
mod model;

use wasm_bindgen::prelude::*;

use model::Model;

/// The largest file: what one allocation of a 32-bit machine can be.
const MAX_FILE: f64 = i32::MAX as f64;

/// A GGUF file on its way into memory.
#[wasm_bindgen]
pub struct Loader {
    bytes: Vec<u8>,
}

#[wasm_bindgen]
impl Loader {
    /// Memory for a file of `size` bytes.
    ///
    /// # Errors
    /// If it is larger than a page can hold, or than the memory there is.
    #[wasm_bindgen(constructor)]
    pub fn new(size: f64) -> Result<Loader, JsError> {
        if size > MAX_FILE {
            let size = size / f64::from(1 << 30);
            return Err(JsError::new(&format!(
                "the file is too large: it has {size:.1} GiB, and a page can hold 2 GiB"
            )));
        }
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(size as usize).map_err(|_| {
            let mib = size as usize >> 20;
            JsError::new(&format!("there is no memory for the file, {mib} MiB"))
        })?;
        Ok(Loader { bytes })
    }

    /// The next bytes of the file, in order.
    pub fn append(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The model, ready to run.
    ///
    /// # Errors
    /// If it is no GGUF file, is cut short or damaged, or is of a kind that does not run.
    pub fn finish(self) -> Result<Model, JsError> {
        Model::load(self.bytes)
    }
}
