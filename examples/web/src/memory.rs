//! Memory that may not be there.

use wasm_bindgen::prelude::*;

/// An empty vector with room for `len` elements, or an error in words instead of an abort.
pub fn reserve<T>(len: usize, what: &str) -> Result<Vec<T>, JsError> {
    let mut memory = Vec::new();
    memory.try_reserve_exact(len).map_err(|_| {
        let mib = len.saturating_mul(size_of::<T>()) >> 20;
        JsError::new(&format!("there is no memory for {what}, {mib} MiB"))
    })?;
    Ok(memory)
}

/// `len` times `value`, for as long as the module lives.
pub fn filled<T: Clone>(value: T, len: usize, what: &str) -> Result<&'static mut [T], JsError> {
    let mut memory = reserve(len, what)?;
    memory.resize(len, value);
    Ok(memory.leak())
}
