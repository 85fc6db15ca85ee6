//! A Hugging Face directory in one JSON object: file names to contents.
//!
//! A string is the file's text, a value that is no string its JSON. `*.safetensors` holds the
//! header; the data section that it asks for is made up, at most a megabyte of it.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// The largest data section that is written.
const MAX_DATA: u64 = 1 << 20;

/// A directory of this process, in memory where there is such a file system.
pub fn path(name: &str) -> PathBuf {
    let shm = Path::new("/dev/shm");
    let parent = if shm.is_dir() { shm.to_path_buf() } else { std::env::temp_dir() };
    parent.join(format!("xielu-fuzz-{name}-{}", std::process::id()))
}

/// Replaces `dir` by the one that `text` describes; `false` if it describes none.
pub fn write(dir: &Path, text: &[u8]) -> bool {
    let Ok(Value::Object(files)) = serde_json::from_slice(text) else { return false };
    let _ = fs::remove_dir_all(dir);
    if fs::create_dir_all(dir).is_err() {
        return false;
    }
    for (name, content) in files {
        let inside = !name.contains(['/', '\0']) && !["", ".", ".."].contains(&name.as_str());
        if !inside || name.len() > 64 {
            continue;
        }
        let bytes = if name.ends_with(".safetensors") {
            safetensors(&content)
        } else {
            content.as_str().map_or_else(|| content.to_string(), Into::into).into_bytes()
        };
        if fs::write(dir.join(name), bytes).is_err() {
            return false;
        }
    }
    true
}

fn safetensors(header: &Value) -> Vec<u8> {
    let ends = header.as_object().into_iter().flat_map(|map| map.values());
    let ends = ends.filter_map(|tensor| tensor["data_offsets"][1].as_u64());
    let data = ends.max().unwrap_or(0).min(MAX_DATA);
    let text = header.to_string();
    let mut file = (text.len() as u64).to_le_bytes().to_vec();
    file.extend(text.as_bytes());
    // Numbers between 0 and 2 in every float format.
    file.extend((0..data).map(|i| (i * 37 % 60) as u8));
    file
}
