//! Peak memory of `xielu generate` on a mapped model, beside the file and the KV cache.
//!
//! `cargo bench --bench memory --features cli` writes a model with random weights to
//! `target/random-Q8_0.gguf` and runs it; `XIELU_MODEL=FILE` runs that file instead. The bench
//! `decoder` measures the same file's tokens per second. Linux only: /proc says what is resident.

#[path = "support/random_model.rs"]
mod random_model;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use xielu::checkpoint::Checkpoint as _;
use xielu::checkpoint::gguf::Gguf;
use xielu::convert::Types;
use xielu::kernels::{DType, MappedFile};
use xielu::llama::{KvCache, KvType};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const PROMPT: &str = "The `Vec<T>` type is";
const CONTEXTS: [usize; 2] = [256, 4096];
const GENERATED: &str = "48";

/// Kilobytes that a process had resident at most.
#[derive(Default)]
struct Peak {
    all: u64,
    anonymous: u64,
}

fn main() -> Result<()> {
    let (path, config) = match std::env::var_os("XIELU_MODEL") {
        Some(path) => (PathBuf::from(&path), Gguf::parse(&MappedFile::open(path)?)?.config()?),
        None => {
            let path = target().join("random-Q8_0.gguf");
            let shape = random_model::Shape::named("0.4B")?;
            let config = random_model::write(&path, &shape, &Types::uniform(DType::Q8_0))?;
            (path, config)
        }
    };
    let file = std::fs::metadata(&path)?.len();
    println!("{}", path.display());
    println!(
        "| context | file, MB | KV cache, MB | peak resident, MB | beyond both, MB | not the file's, MB |"
    );
    println!("|---|---|---|---|---|---|");
    for context in CONTEXTS {
        let peak = run(&path, context)?;
        let cache = KvCache::bytes_needed(&config, context, KvType::F16) as f64;
        let beyond = peak.all as f64 * 1024.0 - file as f64 - cache;
        println!(
            "| {context} | {:.1} | {:.1} | {:.1} | {:.1} | {:.1} |",
            file as f64 / 1e6,
            cache / 1e6,
            peak.all as f64 * 1024.0 / 1e6,
            beyond / 1e6,
            peak.anonymous as f64 * 1024.0 / 1e6,
        );
    }
    Ok(())
}

fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target"), PathBuf::from)
}

fn run(path: &Path, context: usize) -> Result<Peak> {
    let mut child = Command::new(env!("CARGO_BIN_EXE_xielu"))
        .arg("generate")
        .arg(path)
        .args(["--prompt", PROMPT, "-n", GENERATED, "--ids", "--context", &context.to_string()])
        .stdout(Stdio::null())
        .spawn()?;
    let peak = watch(&mut child)?;
    match child.wait()? {
        status if status.success() => Ok(peak),
        status => Err(format!("xielu generate: {status}").into()),
    }
}

/// Reads what the kernel counts until the process is gone.
fn watch(child: &mut Child) -> Result<Peak> {
    let status = format!("/proc/{}/status", child.id());
    let mut peak = Peak::default();
    while child.try_wait()?.is_none() {
        let text = std::fs::read_to_string(&status)?;
        let kilobytes = |key: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(key))?;
            line.split_whitespace().next()?.parse::<u64>().ok()
        };
        // The lines are gone once the process is a zombie.
        peak.all = peak.all.max(kilobytes("VmHWM:").unwrap_or(0));
        peak.anonymous = peak.anonymous.max(kilobytes("RssAnon:").unwrap_or(0));
        std::thread::sleep(Duration::from_millis(2));
    }
    Ok(peak)
}
