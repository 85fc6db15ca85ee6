//! `include/xielu.h` is what cbindgen makes of `src/capi`, and its functions are all tested.
//!
//! `XIELU_BLESS=1 cargo test --features capi --test capi header` writes it anew.

use std::fs;
use std::path::Path;

use crate::support::functions;

/// The files of `src/capi` with something for C, in the header's order.
const SOURCES: [&str; 12] = [
    "status",
    "version",
    "text",
    "activation",
    "gradients",
    "config",
    "gguf",
    "mlp",
    "model",
    "decoder",
    "sampler",
    "tokenizer",
];
const HEADER: &str = "include/xielu.h";

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn generated() -> String {
    let config = cbindgen::Config::from_file(repository().join("cbindgen.toml")).unwrap();
    let mut builder = cbindgen::Builder::new().with_config(config);
    for source in SOURCES {
        builder = builder.with_src(repository().join(format!("src/capi/{source}.rs")));
    }
    let mut header = Vec::new();
    builder.generate().unwrap().write(&mut header);
    String::from_utf8(header).unwrap()
}

#[test]
fn the_header_is_made_from_the_source() {
    let path = repository().join(HEADER);
    let generated = generated();
    if std::env::var_os("XIELU_BLESS").is_some() {
        fs::write(&path, &generated).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap();
    let differs = generated.lines().zip(committed.lines()).find(|(new, old)| new != old);
    assert!(
        generated == committed,
        "{HEADER} is not what cbindgen makes of src/capi (first at {differs:?}); \
         XIELU_BLESS=1 writes it anew"
    );
}

#[test]
fn every_function_is_called_by_a_test() {
    let header = fs::read_to_string(repository().join(HEADER)).unwrap();
    let files = fs::read_dir(repository().join("tests/capi")).unwrap().map(|e| e.unwrap().path());
    let sources = files.filter(|path| path.extension().is_some_and(|end| end == "rs"));
    let tests: Vec<String> = sources.map(|path| fs::read_to_string(path).unwrap()).collect();
    assert!(tests.len() > 10, "{}", tests.len());
    let tests = tests.concat();
    let words: Vec<&str> = tests.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
    let functions = functions(&header);
    assert_eq!(functions.len(), header.matches("(").count() - not_functions(&header));
    for name in functions {
        assert!(words.contains(&name), "{name} is in no test");
    }
}

/// Parentheses that begin no list of parameters: those in comments and conditions.
fn not_functions(header: &str) -> usize {
    let other = header.lines().filter(|line| line.trim_start().starts_with(['*', '/', '#']));
    other.map(|line| line.matches('(').count()).sum()
}
