//! Errors of a CUDA device.

/// Why a CUDA device cannot compute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceError(pub crate::cuda::Error);

impl core::fmt::Display for DeviceError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.0.fmt(f)
    }
}

/// Firmware has no such device: one text for all.
#[cfg(feature = "defmt")]
impl defmt::Format for DeviceError {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "the CUDA device failed");
    }
}
