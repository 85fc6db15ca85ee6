//! The layer on a CUDA device.

use super::{Between, Mlp};
use crate::cuda::{DeviceMatrix, DeviceMlp, Error, OnStream};

impl Mlp<'_> {
    /// Copies the weights to the device, where quantized ones are repacked.
    ///
    /// # Errors
    /// If the weights are packed for the CPU, the device has too little memory or no kernel of the
    /// activation, or the driver fails.
    pub fn upload(&self, on: &OnStream<'_>) -> Result<DeviceMlp, Error> {
        let up = DeviceMatrix::upload(on, &self.up)?;
        let down = DeviceMatrix::upload(on, &self.down)?;
        match &self.between {
            Between::Plain(act) => DeviceMlp::new(up, down, *act),
            Between::Gated(gate) => DeviceMlp::gated(DeviceMatrix::upload(on, gate)?, up, down),
        }
    }

    /// Bytes that the weights take on the device; `None` if addresses do not count them.
    pub fn device_bytes(&self) -> Option<usize> {
        self.matrices().try_fold(0usize, |bytes, m| {
            bytes.checked_add(DeviceMatrix::bytes_for(m.dtype(), m.rows(), m.cols())?)
        })
    }
}
