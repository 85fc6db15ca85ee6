//! What computes a run, and how fast it could.

use anyhow::{Context as _, bail};
use candle_core::Device;
use clap::ValueEnum;
use xielu::train::{TrainConfig, peak_flops};

/// The device to train on.
#[derive(Debug, clap::Args)]
pub struct DeviceArgs {
    /// Where to train; on the first CUDA device of a build with CUDA when not given, else on the
    /// CPU
    #[arg(long, value_enum)]
    device: Option<DeviceArg>,
    /// Largest speed of the device in 1e12 operations a second, for model FLOP utilisation; known
    /// for common GPUs (in bf16)
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    peak_tflops: Option<f64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum DeviceArg {
    Cpu,
    Cuda,
}

/// A device that runs are made on.
pub struct Machine {
    /// As candle knows it.
    pub device: Device,
    /// Its largest speed, if known.
    peak_flops: Option<f64>,
}

impl DeviceArgs {
    /// Opens the device.
    pub fn open(&self) -> anyhow::Result<Machine> {
        if let Some(peak) = self.peak_tflops
            && !(peak > 0.0 && peak.is_finite())
        {
            bail!("--peak-tflops {peak} is no speed");
        }
        let is_cuda = match self.device {
            Some(device) => device == DeviceArg::Cuda,
            None => candle_core::utils::cuda_is_available(),
        };
        let device = if is_cuda { open_cuda()? } else { Device::Cpu };
        let name = name(&device)?;
        let known = name.as_deref().and_then(peak_flops);
        let peak_flops = self.peak_tflops.map(|tflops| tflops * 1e12).or(known);
        match (&name, peak_flops) {
            (Some(name), Some(peak)) => tell!("on {name}, {:.0} TFLOP/s at most", peak / 1e12),
            (Some(name), None) => tell!("on {name}; --peak-tflops gives its utilisation"),
            (None, _) => {}
        }
        Ok(Machine { device, peak_flops })
    }
}

impl Machine {
    /// Model FLOP utilisation at this speed, if the device's peak is known.
    pub fn utilisation(
        &self,
        config: &TrainConfig,
        tokens_per_second: f64,
    ) -> anyhow::Result<Option<f64>> {
        let flops = config.model.flops_per_token(config.sequence_length())?;
        Ok(self.peak_flops.map(|peak| flops * tokens_per_second / peak))
    }
}

fn open_cuda() -> anyhow::Result<Device> {
    if !candle_core::utils::cuda_is_available() {
        bail!(
            "--device cuda: this build trains on the CPU only; docs/TRAINING.md has the command \
             that builds with CUDA"
        );
    }
    // Its stream is another one in every thread, and a trainer uses one thread: so nothing has to
    // keep streams in order.
    Device::new_cuda(0).context("the CUDA device cannot be used")
}

/// What the driver calls the device.
#[cfg(xielu_train_cuda)]
fn name(device: &Device) -> anyhow::Result<Option<String>> {
    match device {
        Device::Cuda(cuda) => Ok(Some(cuda.cuda_stream().context().name()?)),
        _ => Ok(None),
    }
}

/// What the driver calls the device; only a build with CUDA has one.
#[cfg(not(xielu_train_cuda))]
fn name(_: &Device) -> anyhow::Result<Option<String>> {
    Ok(None)
}
