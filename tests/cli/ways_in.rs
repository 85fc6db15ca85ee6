//! The command line takes the ways of `tests/hf/ways_in.rs`: a few of its cases through `generate` and
//! `quantize`, on a chosen number of threads.

use std::path::Path;

use xielu_testing::ways_in as ways;

use crate::support::{arg, succeeds};

#[test]
fn generate_says_what_transformers_says_whatever_model_it_is_given() {
    let names = [
        "plain",
        "stops_union",
        "stops_many",
        "float8_channel",
        "float8_block",
        "apertus15_stops",
        "sharded",
        "llama",
        "qwen3_whole",
        "nfc",
        "used_once",
    ];
    let cases = ways::cases();
    for name in names {
        let case = cases.iter().find(|case| case.name == name).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path();
        case.assemble(dir);
        let (file, parts) = (dir.join("model.gguf"), dir.join("part.gguf"));
        let quantize = |from: &Path, to: &Path, more: &[&str]| {
            let all = ["quantize", arg(from), arg(to), "--type", "f32", "--threads", "1"];
            succeeds(&[&all[..], more].concat());
        };
        quantize(dir, &file, &[]);
        quantize(&file, &parts, &["--split-max-size", "20K"]);
        let mut names = (2..9).map(|n| dir.join(format!("part-00002-of-{n:05}.gguf")));
        let part = names.find(|part| part.exists()).unwrap();
        for model in [dir, &file, &part] {
            for (text, ids, _) in &case.greedy {
                let options = ["-n", "16", "--ids", "--kv-type", "f32", "--threads", "1"];
                let model = ["generate", arg(model), "--prompt", text];
                let ours = succeeds(&[&model[..], &options].concat());
                let ours: Vec<u32> =
                    ours.split_whitespace().map(|id| id.parse().unwrap()).collect();
                // A stop token is not printed; what transformers said may have been cut at a tie.
                let stop = ids.last().filter(|id| case.stops.contains(id));
                let said = &ids[..ids.len() - usize::from(stop.is_some())];
                assert!(ours.starts_with(said), "{name}, {text:?}: {ours:?}, not {said:?}");
                assert!(stop.is_none() || ours.len() == said.len(), "{name}: {ours:?} goes on");
            }
        }
    }
}
