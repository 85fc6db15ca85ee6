//! Sessions on a CUDA device.

use std::string::String;
use std::vec::Vec;

use super::device::check;
use super::memory::Working;
use super::{Session, SessionError};
use crate::Error;
use crate::llama::{CudaDecoder, CudaMemory, ReserveError};

impl Session {
    /// The memory on the device that a context of so many positions takes, the weights included;
    /// `None` where the CPU computes.
    pub fn device_memory(&self, context: usize) -> Option<CudaMemory> {
        let o = &self.options;
        self.device.as_ref()?;
        Some(CudaMemory::new(&self.weights.model(), context, o.kv_type, o.batch))
    }

    /// What the driver calls the device; `None` where the CPU computes.
    ///
    /// # Errors
    /// [`SessionError::Run`] if the driver does not say.
    pub fn device_name(&self) -> Result<Option<String>, SessionError> {
        Ok(self.device.as_ref().map(CudaDecoder::name).transpose()?)
    }

    pub(super) fn work_on_device(&mut self, context: usize) -> Result<(), SessionError> {
        let Some(device) = &mut self.device else { return Ok(()) };
        let model = self.weights.model();
        let working = Working::beside_device(model.config(), context)?;
        let reserved = device.reserve(&model, context);
        // Where the device failed on the way, nothing of what was there is left.
        if !matches!(reserved, Err(ReserveError::Memory { .. })) {
            self.working = reserved.is_ok().then_some(working);
        }
        check(reserved, context)
    }

    /// Bytes of the cache, from the device.
    pub(super) fn cache_of_device(
        &self,
        range: core::ops::Range<usize>,
    ) -> Result<Option<Vec<u8>>, Error> {
        let Some(device) = &self.device else { return Ok(None) };
        Ok(Some(device.read_cache(&self.weights.model(), range)?))
    }

    /// Replaces bytes of the cache on the device; false where there is none.
    pub(super) fn cache_to_device(&mut self, start: usize, bytes: &[u8]) -> Result<bool, Error> {
        let Some(device) = &mut self.device else { return Ok(false) };
        device.write_cache(&self.weights.model(), start, bytes)?;
        Ok(true)
    }
}
