//! All ways in: directories as people bring them, made and read by transformers
//! (`tests/data/ways_in`). The directory and the GGUF file made of it must give the same prompt
//! ids, stop ids, chat templates, greedy ids and text.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Debug;
use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use xielu::Session;
use xielu::checkpoint::gguf::Gguf;
use xielu::checkpoint::hf::{HfDir, VocabularyOptions};
use xielu::checkpoint::{Checkpoint as _, ModelView};
use xielu::convert::{Output, Progress, Types, convert_gguf, convert_hf};
use xielu::kernels::DType;
use xielu::llama::{KvType, Stop};
use xielu::session::{GenerateOptions, SessionError, SessionOptions};
use xielu::tokenizer::Tokenizer;
use xielu::tokenizer::bpe::{Bpe, Utf8Stream, work_len};
use xielu_testing::ways_in::{Case, cases};

/// One way into one case, and what differs from transformers.
struct Way<'a> {
    case: &'a Case,
    way: &'static str,
    problems: Vec<String>,
}

impl Way<'_> {
    fn same<T: PartialEq + Debug>(&mut self, what: &str, ours: T, theirs: T) {
        if ours != theirs {
            let (case, way) = (&self.case.name, self.way);
            self.problems.push(format!("{case}, {way}, {what}: {ours:?}, transformers {theirs:?}"));
        }
    }

    fn check(&mut self, session: &mut Session) -> Result<(), SessionError> {
        let (case, tokenizer) = (self.case, &*session.tokenizer()?.clone());
        for (text, ids) in &case.prompts {
            let ours = tokenizer.encode_prompt(text).map_err(|e| e.to_string());
            self.same(&format!("prompt {text:?}"), ours, Ok(ids.clone()));
        }
        let rows = u32::try_from(session.config().vocab_size).unwrap();
        let stops = (0..rows).filter(|&id| tokenizer.is_end(id)).collect();
        self.same("stop ids", stops, case.stops.clone());
        let spoken = |ids: &[u32]| spoken(tokenizer, ids).map_err(|e| e.to_string());
        let all: Vec<u32> = (0..rows).collect();
        self.same("text of all ids", spoken(&all), Ok(case.all.clone()));
        for (text, ids, said) in &case.greedy {
            let what = format!("after {text:?}");
            let ours = greedy(session, text, ids.len()).map_err(|e| e.to_string());
            self.same(&format!("ids {what}"), ours, Ok(ids.clone()));
            self.same(&format!("text {what}"), spoken(ids), Ok(said.clone()));
        }
        Ok(())
    }

    /// As [`Way::check`], of the model at `path`, opened as the command line opens it.
    fn open(&mut self, path: &Path) -> Result<(), Box<dyn Error>> {
        let options = SessionOptions { kv_type: KvType::F32, ..SessionOptions::default() };
        let mut session = Session::open_with(path, &options)?;
        let templates = match session.view() {
            ModelView::Hf(dir) => dir_templates(dir)?,
            ModelView::Gguf(gguf) => gguf_templates(gguf.first()),
        };
        self.check(&mut session)?;
        self.same("templates", templates, self.case.templates.clone());
        Ok(())
    }
}

impl Way<'_> {
    /// What the tokenizer without an allocator makes of the file at `path`.
    fn check_bpe(&mut self, path: &Path) -> Result<(), Box<dyn Error>> {
        let (case, bytes) = (self.case, fs::read(path)?);
        let gguf = Gguf::parse(&bytes)?;
        let mut memory = vec![0; Bpe::memory_len(&gguf)?];
        let bpe = Bpe::new(&gguf, &mut memory)?;
        for (text, theirs) in &case.prompts {
            let (mut work, mut ids) = (vec![0; work_len(text.len())], vec![0; text.len() + 2]);
            let n = bpe.encode_prompt(text, &mut work, &mut ids)?;
            self.same(&format!("prompt {text:?}"), &ids[..n], theirs);
        }
        let stops = (0..gguf.config()?.vocab_size as u32).filter(|&id| bpe.is_end(id));
        self.same("stop ids", &stops.collect(), &case.stops);
        for (text, ids, said) in &case.greedy {
            let (mut stream, mut ours) = (Utf8Stream::default(), String::new());
            for &id in ids.iter().filter(|&&id| !bpe.is_control(id)) {
                bpe.token(id)?.for_each(|byte| stream.push(byte, &mut |text| ours += text));
            }
            stream.finish(&mut |text| ours += text);
            self.same(&format!("text after {text:?}"), &ours, said);
        }
        Ok(())
    }
}

/// The text of `ids` as it is printed, token by token.
fn spoken(tokenizer: &Tokenizer, ids: &[u32]) -> Result<String, Box<dyn Error>> {
    let mut stream = tokenizer.stream();
    let mut text = String::new();
    for &id in ids {
        text.extend(stream.push(id)?);
    }
    text.extend(stream.finish()?);
    Ok(text)
}

/// At most `n` ids after `prompt`, up to and with the first that ends a generation.
fn greedy(session: &mut Session, prompt: &str, n: usize) -> Result<Vec<u32>, Box<dyn Error>> {
    let options = GenerateOptions { limit: Some(n), ..GenerateOptions::default() };
    let prompt = session.prompt_ids(prompt)?;
    session.begin(prompt.len(), &options)?;
    session.read(&prompt, |_| ControlFlow::Continue(()))?;
    let mut ids = Vec::new();
    let written = session.write(&options, |id| {
        ids.push(id);
        ControlFlow::Continue(())
    })?;
    if let Some(Stop::End(id)) = written.stop {
        ids.push(id);
    }
    Ok(ids)
}

fn dir_templates(dir: &HfDir) -> Result<BTreeMap<String, String>, Box<dyn Error>> {
    let vocabulary = dir.vocabulary(VocabularyOptions::default())?.ok_or("no vocabulary")?;
    Ok(vocabulary.chat_templates.into_iter().map(|t| (t.name, t.text)).collect())
}

fn gguf_templates(gguf: &Gguf<'_>) -> BTreeMap<String, String> {
    let named = gguf.metadata().filter_map(|(key, value)| {
        let name = match key.strip_prefix("tokenizer.chat_template")? {
            "" => "default",
            rest => rest.strip_prefix('.')?,
        };
        Some((name.to_string(), value.as_str()?.to_string()))
    });
    named.collect()
}

/// Converts `dir` to `file`. Returns what programs that read only llama.cpp's keys do otherwise.
fn convert(dir: &HfDir, file: &Path, without_json: bool) -> Result<Vec<String>, Box<dyn Error>> {
    let options = VocabularyOptions { without_json, ..Default::default() };
    let vocabulary = dir.vocabulary(options)?.ok_or("no vocabulary")?;
    convert_hf(dir, file, &Types::uniform(DType::F32), Some(&vocabulary), go_on)?;
    Ok(vocabulary.lost)
}

/// Writes `file` again in parts; returns the last.
fn divide(file: &Path, dir: &Path) -> Result<PathBuf, Box<dyn Error>> {
    let bytes = fs::read(file)?;
    let path = &dir.join("part.gguf");
    let output = Output { path, max_part: Some(20_000), replace: false };
    let written = convert_gguf(&Gguf::parse(&bytes)?, output, &Types::uniform(DType::F32), go_on)?;
    let parts = written.iter().map(|tensor| tensor.part + 1).max().unwrap_or(0);
    assert!(parts > 1, "one part is no split");
    Ok(dir.join(format!("part-{parts:05}-of-{parts:05}.gguf")))
}

fn go_on(_: Progress<'_>) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// What differs from transformers in `case`, whichever way one goes in.
fn problems(case: &Case) -> Result<Vec<String>, Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let dir = folder.path();
    case.assemble(dir);
    let mut way = Way { case, way: "directory", problems: Vec::new() };
    way.open(dir)?;

    let hf = HfDir::open(dir)?;
    let file = dir.join("model.gguf");
    let lost = convert(&hf, &file, false)?;
    way.way = "GGUF";
    way.open(&file)?;
    way.way = "parts of the GGUF";
    way.open(&divide(&file, dir)?)?;
    // Whatever is not said to be lost to other programs is there for them.
    if lost.is_empty() {
        convert(&hf, &file, true)?;
        way.way = "GGUF of llama.cpp's keys";
        way.open(&file)?;
        way.way = "without an allocator";
        way.check_bpe(&file)?;
    }
    Ok(way.problems)
}

#[test]
fn every_way_in_gives_what_transformers_gives() {
    let cases = cases();
    let found = cases.iter().flat_map(|case| {
        problems(case).unwrap_or_else(|error| vec![format!("{}: {error}", case.name)])
    });
    let found: Vec<String> = found.collect();
    assert!(cases.len() > 50, "cases are missing");
    assert!(found.is_empty(), "{} differences:\n{}", found.len(), found.join("\n"));
}
