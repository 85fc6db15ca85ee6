//! `xielu inspect --memory` prints what the C functions return.

use xielu::capi::*;

use crate::capi_support::{config_of, model_bytes, open, zeroed};
use crate::support::{MODEL, fails, succeeds, xielu};

/// The numbers of the table's rows; "whole" is 0, as C has it.
fn rows(table: &str) -> Vec<Vec<usize>> {
    let lines = table.lines().skip_while(|line| !line.contains("KV cache  ")).skip(1);
    let number = |word: &str| if word == "whole" { Some(0) } else { word.parse().ok() };
    lines.map(|line| line.split_whitespace().map_while(number).collect()).collect()
}

/// The bytes that the line beginning with `name` states.
fn stated(table: &str, name: &str) -> usize {
    let mut words = table.lines().map(str::split_whitespace);
    words.find_map(|mut w| (w.next()? == name).then(|| w.next()?.parse().ok())?).unwrap()
}

/// Compares one printed row with what C is told.
fn compare(row: &[usize], batch: usize, kv_type: u32, config: &xielu_config) {
    let [context, mlp_tile, kv_cache, scratch, mlp, ram] = row[..] else { panic!("{row:?}") };
    let options = xielu_decoder_options { context, batch, mlp_tile, kv_type, parallel: 0 };
    let mut m = zeroed::<xielu_memory>();
    // SAFETY: all are live.
    assert_eq!(unsafe { xielu_decoder_memory(config, &options, &mut m) }, Status::Ok);
    let (hidden, ffn) = (config.hidden_size, config.intermediate_size);
    let mlp_size = xielu_mlp_scratch_size(hidden, ffn, mlp_tile, batch);
    assert_eq!([kv_cache, scratch, mlp], [m.kv_cache_size, m.scratch_size, mlp_size], "{row:?}");
    let together = m.layers_size + m.kv_cache_size + m.scratch_size + m.logits_size;
    assert_eq!(ram, together, "{row:?}");
}

#[test]
fn the_table_is_what_c_is_told() {
    let bytes = model_bytes();
    let config = config_of(&open(&bytes));
    for (extra, batch, kv_type, n) in [
        (&[][..], 1, XIELU_KV_F16, 6),
        (&["--context", "1,64,100000", "--tile", "64,9999"], 1, XIELU_KV_F16, 6),
        (&["--batch", "16", "--kv-type", "f32", "--context", "10"], 16, XIELU_KV_F32, 3),
        (&["--kv-type", "q8_0", "--context", "64"], 1, XIELU_KV_Q8_0, 3),
    ] {
        let table = succeeds(&[&["inspect", MODEL, "--memory"], extra].concat());
        assert_eq!(stated(&table, "file"), bytes.len());
        assert_eq!(stated(&table, "logits"), 4096);
        let rows = rows(&table);
        assert_eq!(rows.len(), n, "{table}");
        rows.iter().for_each(|row| compare(row, batch, kv_type, &config));
    }
    // The weights of a directory lie in several places, and are the same shape.
    let table = succeeds(&["inspect", "tests/data/tiny", "--memory"]);
    assert_eq!(rows(&table).len(), 6);
}

#[test]
fn unusable_requests_are_refused() {
    let error = fails(&["inspect", MODEL, "--memory", "--tile", "33"]);
    assert!(error.contains("--tile 33 is not a multiple of 32"), "{error}");
    for args in [
        &["inspect", MODEL, "--context", "5"][..],
        &["inspect", MODEL, "--memory", "--context", "0"],
        &["inspect", MODEL, "--memory", "--svg", "curves.svg"],
    ] {
        assert_eq!(xielu(args).output().unwrap().status.code(), Some(2), "{args:?}");
    }
}
