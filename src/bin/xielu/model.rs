//! A model on the command line: opening its files, loading it, reserving its memory.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use indicatif::HumanBytes;
use xielu::Session;
use xielu::checkpoint::{self, Access, ModelFile, OpenError};
use xielu::kernels::QK;
use xielu::session::{SessionError, SessionOptions};

use crate::args::{ComputeArgs, KvArg};
use crate::device::{self, DeviceArgs};

/// Hidden values of the MLP held at a time with `--tiled-mlp`: 8 blocks.
const TILE: usize = 8 * QK;
/// What is said before it is taken: 1 GiB.
const LARGE: u64 = 1 << 30;

/// How a model's files are opened.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub struct FileArgs {
    /// Read the model's files whole instead of mapping them: for files that may change or shrink
    /// while they are used, which stops a program that has them mapped
    #[arg(long)]
    pub no_mmap: bool,
}

impl FileArgs {
    /// Opens whatever model is at `path`, and says what its user should know of it.
    pub fn open(self, path: &Path) -> Result<ModelFile, OpenError> {
        let access = if self.no_mmap { Access::Read } else { Access::Map };
        let file = checkpoint::open_with(path, access)?;
        if let ModelFile::Hf(dir) = &file {
            dir.notes().for_each(|note| tell!("note: {note}"));
        }
        Ok(file)
    }
}

/// A model and how its decoder runs.
#[derive(Debug, clap::Args)]
pub struct ModelArgs {
    /// GGUF file (any part, if it is split) or Hugging Face directory
    #[arg(required_unless_present = "model_option")]
    model: Option<PathBuf>,
    /// The model, as other programs take it
    #[arg(
        short = 'm',
        long = "model",
        value_name = "MODEL",
        hide = true,
        conflicts_with = "model"
    )]
    model_option: Option<PathBuf>,
    #[command(flatten)]
    file: FileArgs,
    /// How cached keys and values are stored
    #[arg(long, value_enum, default_value_t = KvArg::F16)]
    pub kv_type: KvArg,
    /// Run the MLP in tiles that never hold the whole hidden vector: less memory, same result
    #[arg(long)]
    tiled_mlp: bool,
    /// Copy the weights to an order that is faster for a few tokens at a time; says what the copy
    /// takes
    #[arg(long)]
    pack: bool,
    /// Compute xIELU and the softmax by approximations, as a microcontroller without an FPU may
    #[cfg(feature = "micromath")]
    #[arg(long)]
    rough: bool,
    #[command(flatten)]
    pub device: DeviceArgs,
    #[command(flatten)]
    compute: ComputeArgs,
}

impl ModelArgs {
    /// The model's path.
    pub fn path(&self) -> &Path {
        // One of the two arguments is there.
        let path = self.model.as_ref().or(self.model_option.as_ref());
        path.map_or(Path::new(""), PathBuf::as_path)
    }

    /// The model, loaded, with `batch` tokens of a prompt that go through the layers together.
    pub fn session(&self, batch: usize) -> anyhow::Result<Session> {
        self.compute.start_threads()?;
        let file = self.file.open(self.path())?;
        let mut options = SessionOptions {
            batch,
            kv_type: self.kv_type.into(),
            mlp_tile: if self.tiled_mlp { TILE } else { usize::MAX },
            pack: self.pack,
            kernels: self.compute.kernels()?,
            #[cfg(feature = "micromath")]
            rough: self.rough,
            ..SessionOptions::default()
        };
        let cpu_only = [
            ("--tiled-mlp", self.tiled_mlp),
            ("--pack", self.pack),
            #[cfg(feature = "micromath")]
            ("--rough", self.rough),
        ];
        self.device.apply(&mut options, &cpu_only)?;
        let session = load(file, &options)?;
        if self.pack {
            report_packing(session.packed_bytes());
        }
        Ok(session)
    }
}

/// The model of `file`, loaded.
pub fn load(file: impl Into<Arc<ModelFile>>, options: &SessionOptions) -> anyhow::Result<Session> {
    let file = file.into();
    let path = file.path().to_owned();
    match Session::new(file, options) {
        Err(SessionError::Load(e)) => {
            Err(e).with_context(|| format!("cannot run {}", path.display()))
        }
        result => result.map_err(|e| advised(e, "go without --pack")),
    }
}

/// Reserves the KV cache, and says what it takes if that is much; `advice` is what the user can do
/// if it takes too much.
pub fn reserve(session: &mut Session, context: usize, advice: &str) -> anyhow::Result<()> {
    session.check_memory(context).map_err(|e| advised(e, advice))?;
    let bytes = device::memory(session, context);
    if bytes > LARGE {
        let bytes = HumanBytes(bytes);
        match is_on_device(session) {
            true => tell!("note: the model and {context} tokens take {bytes} of the device"),
            false => tell!("note: a context of {context} tokens takes {bytes} of memory"),
        }
    }
    session.reserve(context).map_err(|e| advised(e, advice))
}

#[cfg(feature = "cuda")]
const fn is_on_device(session: &Session) -> bool {
    session.options().device.is_some()
}

#[cfg(not(feature = "cuda"))]
const fn is_on_device(_: &Session) -> bool {
    false
}

/// The error, with what the user can do about it where memory is short.
pub fn advised(error: SessionError, advice: &str) -> anyhow::Error {
    match error {
        SessionError::Memory { .. } => anyhow!("{error}; {advice}"),
        #[cfg(feature = "cuda")]
        SessionError::DeviceMemory { .. } => anyhow!("{error}; {advice}"),
        error => error.into(),
    }
}

/// Says what `--pack` took.
fn report_packing(bytes: usize) {
    if bytes == 0 {
        tell!(
            "nothing to pack: that takes quantized matrices with rows a multiple of 32 and columns \
             a multiple of 256, and SIMD kernels"
        );
    } else {
        tell!("packed weights: {} in memory, beside the file", HumanBytes(bytes as u64));
    }
}
