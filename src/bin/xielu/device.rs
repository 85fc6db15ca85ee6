//! `--device`: what computes.

use std::fmt;
use std::str::FromStr;

use anyhow::bail;
use xielu::Session;
use xielu::session::SessionOptions;

/// What computes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Device {
    #[default]
    Cpu,
    /// A CUDA device by its number.
    Cuda(usize),
}

impl FromStr for Device {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let unknown = "give cpu, cuda, or cuda:N with the device's number";
        match text.split_once(':') {
            None if text == "cpu" => Ok(Device::Cpu),
            None if text == "cuda" => Ok(Device::Cuda(0)),
            Some(("cuda", number)) => Ok(Device::Cuda(number.parse().map_err(|_| unknown)?)),
            _ => Err(unknown),
        }
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Device::Cpu => f.write_str("cpu"),
            Device::Cuda(number) => write!(f, "cuda:{number}"),
        }
    }
}

#[derive(Clone, Copy, Debug, clap::Args)]
pub struct DeviceArgs {
    /// What computes: `cpu`, or `cuda` (`cuda:1` is the second device), which needs a build with
    /// feature `cuda`, NVIDIA's driver and room for the weights on the device
    #[arg(long, value_name = "DEVICE", default_value_t = Device::Cpu)]
    device: Device,
}

impl DeviceArgs {
    pub fn is_cpu(self) -> bool {
        self.device == Device::Cpu
    }

    /// Sets it; options in `cpu_only` that are given would do nothing on a device.
    #[cfg(feature = "cuda")]
    pub fn apply(
        self,
        options: &mut SessionOptions,
        cpu_only: &[(&str, bool)],
    ) -> anyhow::Result<()> {
        let Device::Cuda(number) = self.device else { return Ok(()) };
        if let Some((name, _)) = cpu_only.iter().find(|(_, given)| *given) {
            bail!("{name} is for the CPU; leave it out with --device {}", self.device);
        }
        options.device = Some(number);
        Ok(())
    }

    /// Sets it; without CUDA there is nothing to set.
    #[cfg(not(feature = "cuda"))]
    pub fn apply(self, _: &mut SessionOptions, _: &[(&str, bool)]) -> anyhow::Result<()> {
        if self.is_cpu() { Ok(()) } else { Err(no_cuda(self.device)) }
    }

    /// Refuses a device where only the CPU computes.
    pub fn require_cpu(self, command: &str) -> anyhow::Result<()> {
        if !self.is_cpu() {
            bail!("{command} runs on the CPU; leave out --device {}", self.device);
        }
        Ok(())
    }
}

/// Why a build without CUDA does not run on this device.
#[cfg(not(feature = "cuda"))]
pub fn no_cuda(device: Device) -> anyhow::Error {
    anyhow::anyhow!(
        "--device {device}: this build has no CUDA; `cargo build --release --features cli,cuda` \
         makes one that has"
    )
}

/// What a session computes with, in words: the instruction set and the threads, or the device.
pub fn described(session: &Session) -> anyhow::Result<String> {
    #[cfg(feature = "cuda")]
    if let Some(name) = session.device_name()? {
        return Ok(name);
    }
    Ok(described_cpu(session))
}

fn described_cpu(session: &Session) -> String {
    let threads = rayon::current_num_threads();
    let plural = if threads == 1 { "" } else { "s" };
    format!("{}, {threads} thread{plural}", session.kernels().isa())
}

/// The name of the instruction set, or of the device.
pub fn kernels(session: &Session) -> anyhow::Result<String> {
    #[cfg(feature = "cuda")]
    if let Some(name) = session.device_name()? {
        return Ok(name);
    }
    Ok(session.kernels().isa().name().to_owned())
}

/// Bytes that a context takes, on the device if one computes.
pub fn memory(session: &Session, context: usize) -> u64 {
    #[cfg(feature = "cuda")]
    if let Some(memory) = session.device_memory(context) {
        return memory.total();
    }
    session.memory(context).total() as u64
}
