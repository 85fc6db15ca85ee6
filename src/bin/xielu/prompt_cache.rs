//! Prompts in files: what was read once is not read again.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Error};
use xielu::Session;
use xielu::session::{SessionError, StateError};

/// A file with the state of a prompt.
#[derive(Debug, clap::Args)]
pub struct CacheArgs {
    /// Keep the prompt in this file with its keys and values, those of the KV cache; if it is there
    /// already, what the prompt has in common with it is not read again
    #[arg(long, value_name = "FILE")]
    prompt_cache: Option<PathBuf>,
    /// Keep what is generated in the file, too
    #[arg(long, requires = "prompt_cache")]
    prompt_cache_all: bool,
    /// Use the file, and leave it as it is
    #[arg(long, requires = "prompt_cache", conflicts_with = "prompt_cache_all")]
    prompt_cache_ro: bool,
}

impl CacheArgs {
    /// Whether there is a file.
    pub const fn is_given(&self) -> bool {
        self.prompt_cache.is_some()
    }

    /// Has the session know what the file holds, if it is there.
    pub fn load(&self, session: &mut Session) -> anyhow::Result<()> {
        let Some(path) = &self.prompt_cache else { return Ok(()) };
        match session.load_state(path) {
            Err(SessionError::State(StateError::Io(e))) if e.kind() == ErrorKind::NotFound => {
                if self.prompt_cache_ro {
                    Err(e).with_context(|| cannot_use(path))
                } else {
                    Ok(())
                }
            }
            result => result.with_context(|| cannot_use(path)),
        }
    }

    /// Keeps a prompt of so many tokens that was just read, of which the session knew `kept`.
    pub fn save_prompt(&self, session: &Session, prompt: usize, kept: usize) -> anyhow::Result<()> {
        // The last token is always read again.
        let is_new = kept + 1 < prompt || self.prompt_cache.as_ref().is_some_and(|p| !p.exists());
        if is_new && !self.prompt_cache_ro && !self.prompt_cache_all {
            self.save(session)?;
        }
        Ok(())
    }

    /// Keeps all that was read and generated, if that is wanted.
    pub fn save_all(&self, session: &Session) -> anyhow::Result<()> {
        if self.prompt_cache_all && session.position() > 0 { self.save(session) } else { Ok(()) }
    }

    fn save(&self, session: &Session) -> anyhow::Result<()> {
        let Some(path) = &self.prompt_cache else { return Ok(()) };
        let failed = || format!("cannot write {}", path.display());
        session.save_state(path).map_err(Error::from).with_context(failed)
    }
}

fn cannot_use(path: &Path) -> String {
    format!("cannot use {}", path.display())
}
