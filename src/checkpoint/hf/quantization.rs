//! How a checkpoint's weights are quantized: FP8 is read, everything else is named and refused.

use std::borrow::ToOwned;
use std::format;
use std::path::Path;
use std::string::String;

use serde_json::Value;

use super::HfError;
use super::config::ConfigJson;
use super::file::read_json_within;
use super::keys::{Keys, is_off, whole};

/// The most that is read of a file beside `config.json`.
const LIMIT: u64 = 8 << 20;

/// Files beside `config.json` in which quantizers leave their settings, and how the table is
/// called there, if it is not the whole.
const FILES: [(&str, Option<&str>, &str); 3] = [
    ("hf_quant_config.json", Some("quantization"), "modelopt"),
    ("quantize_config.json", None, "gptq"),
    ("quant_config.json", None, "awq"),
];

/// Weights of one byte, in the format E4M3, with scales.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fp8 {
    /// Rows and columns that share a scale, where it is neither all nor a row.
    pub(super) block: Option<[usize; 2]>,
    /// The type of the widened weights; `None` for the scales' own.
    pub(super) dtype: Option<crate::kernels::DType>,
}

/// How the directory's weights are stored: `None` as they are.
pub(super) fn read(dir: &Path, json: &ConfigJson) -> Result<Option<Fp8>, HfError> {
    let text = json.text()?;
    for key in ["quantization_config", "compression_config", "quantization"] {
        for keys in [json.keys(), text] {
            if let Some(table) = keys.table(key)?.filter(|table| !table.is_empty()) {
                return of(table, None, json).map(Some).or_else(dense);
            }
        }
    }
    for (name, inner, method) in FILES {
        let path = dir.join(name);
        if std::fs::symlink_metadata(&path).is_err() {
            continue;
        }
        let value: Value = read_json_within(&path, LIMIT)?;
        let table = inner.and_then(|key| value.get(key)).unwrap_or(&value);
        if let Value::Object(table) = table {
            return of(Keys::new(table), Some(method), json).map(Some).or_else(dense);
        }
    }
    Ok(None)
}

/// What [`of`] says of tables that leave every weight as it is.
const DENSE: &str = "dense";

fn dense(error: HfError) -> Result<Option<Fp8>, HfError> {
    match error {
        HfError::Quantized(name) if name == DENSE => Ok(None),
        error => Err(error),
    }
}

/// Reads one table; `method` is what it is called where it does not say.
fn of(table: Keys<'_>, method: Option<&str>, json: &ConfigJson) -> Result<Fp8, HfError> {
    let text = |key| table.get(key).and_then(Value::as_str);
    let unnamed = || match ["quant_algo", "bits"].map(|key| table.has(key)) {
        [true, _] => "modelopt",
        // MLX names none.
        [_, true] => "mlx",
        _ => "a format that is not named",
    };
    let method = text("quant_method").or(method).unwrap_or_else(unnamed);
    let bits = table.get("bits").or(table.get("w_bit")).and_then(whole);
    let model_dtype = || -> Result<_, HfError> {
        use crate::kernels::DType;
        Ok(Some(match json.dtype()? {
            Some("float16") => DType::F16,
            Some("float32") => DType::F32,
            _ => DType::BF16,
        }))
    };
    match method {
        "compressed-tensors" => compressed_tensors(table),
        "fp8" => {
            refuse_unless(matches!(text("fmt"), None | Some("e4m3")), || "FP8 E5M2".into())?;
            Ok(Fp8 { block: pair(table.get("weight_block_size")), dtype: model_dtype()? })
        }
        "fbgemm_fp8" => Ok(Fp8 { block: None, dtype: model_dtype()? }),
        "modelopt" => {
            let algorithm = text("quant_algo").unwrap_or("unnamed");
            refuse_unless(algorithm == "FP8", || format!("{algorithm} (modelopt)"))?;
            Ok(Fp8 { block: None, dtype: model_dtype()? })
        }
        "bitsandbytes" => {
            let four = table.get("load_in_4bit").or(table.get("_load_in_4bit"));
            let bits = if four.is_some_and(|on| !is_off(on)) { 4 } else { 8 };
            Err(HfError::Quantized(format!("bitsandbytes, {bits} bits")))
        }
        method => {
            let name = known_name(method);
            Err(HfError::Quantized(match bits {
                Some(bits) => format!("{name}, {bits} bits"),
                None => name.to_owned(),
            }))
        }
    }
}

/// How a method is usually written.
fn known_name(method: &str) -> &str {
    match method {
        "gptq" => "GPTQ",
        "awq" => "AWQ",
        "mlx" => "MLX",
        "hqq" => "HQQ",
        "aqlm" => "AQLM",
        "mxfp4" => "MXFP4",
        "mxfp8" => "MXFP8",
        "nvfp4" => "NVFP4",
        "auto-round" => "AutoRound",
        "torchao" => "TorchAO",
        "quanto" => "Quanto",
        "bitnet" => "BitNet",
        other => other,
    }
}

fn compressed_tensors(table: Keys<'_>) -> Result<Fp8, HfError> {
    let format = table.get("format").and_then(Value::as_str).unwrap_or(DENSE);
    if let Some(sparsity) = table.table("sparsity_config")? {
        let kind = sparsity.get("format").and_then(Value::as_str).unwrap_or(DENSE);
        let name = || format!("compressed-tensors, sparse ({kind})");
        refuse_unless(kind == DENSE, name)?;
    }
    // Rotations that are to be computed with.
    let transformed = table
        .get("transform_config")
        .is_some_and(|t| t.get("config_groups").map_or(!is_off(t), |groups| !is_off(groups)));
    refuse_unless(!transformed, || "compressed-tensors, with transforms".into())?;
    let mut block = None;
    let groups = table.table("config_groups")?;
    for (_, group) in groups.iter().flat_map(|groups| groups.entries()) {
        let weights = &group["weights"];
        if weights.is_null() {
            continue;
        }
        let bits = weights["num_bits"].as_u64().unwrap_or(0);
        let inputs = group["input_activations"]["num_bits"].as_u64().unwrap_or(16);
        let kind = weights["type"].as_str().unwrap_or("int");
        let symmetric = weights["symmetric"] != false;
        let group_format = group["format"].as_str().unwrap_or(format);
        let fits = bits == 8 && kind == "float" && symmetric && is_plain_float(group_format);
        refuse_unless(fits, || {
            let what = if group_format.starts_with("nvfp4") { "NVFP4" } else { group_format };
            let asymmetric = if symmetric { "" } else { ", asymmetric" };
            format!("compressed-tensors {what} (W{bits}A{inputs}, {kind}{asymmetric})")
        })?;
        let group = weights.get("group_size").and_then(whole).filter(|&n| n > 0);
        block = pair(weights.get("block_structure")).or(group.map(|n| [1, n])).or(block);
    }
    if format == DENSE && groups.is_none_or(Keys::is_empty) {
        return Err(HfError::Quantized(DENSE.into()));
    }
    let mixed = format == "mixed-precision" && !groups.is_none_or(Keys::is_empty);
    refuse_unless(mixed || format == DENSE || is_plain_float(format), || {
        let name = if format.starts_with("nvfp4") { "NVFP4" } else { format };
        match name {
            "pack-quantized" => "compressed-tensors pack-quantized, such as W4A16".into(),
            name => format!("compressed-tensors {name}"),
        }
    })?;
    Ok(Fp8 { block, dtype: None })
}

/// The formats of compressed-tensors whose weights of 8 bits are one to a byte.
fn is_plain_float(format: &str) -> bool {
    matches!(format, "float-quantized" | "naive-quantized" | "mixed-precision" | DENSE)
}

fn refuse_unless(fits: bool, name: impl FnOnce() -> String) -> Result<(), HfError> {
    if fits { Ok(()) } else { Err(HfError::Quantized(name())) }
}

/// Two numbers, neither of them 0: a list, or as older files have it, `"128x128"`.
fn pair(value: Option<&Value>) -> Option<[usize; 2]> {
    let sides = match value? {
        Value::String(text) => {
            let (rows, cols) = text.split_once('x')?;
            [rows.parse().ok()?, cols.parse().ok()?]
        }
        list => {
            let [rows, cols] = list.as_array()?.as_slice() else { return None };
            [whole(rows)?, whole(cols)?]
        }
    };
    sides.iter().all(|&n| n > 0).then_some(sides)
}

/// The format that the names of tensors give away where no file names it.
pub(super) fn of_tensor(name: &str) -> Option<&'static str> {
    let endings = [
        (".qweight", "GPTQ or AWQ"),
        (".qzeros", "GPTQ or AWQ"),
        (".weight_packed", "compressed-tensors pack-quantized"),
        (".weight_scale_2", "NVFP4"),
        (".weight.absmax", "bitsandbytes"),
        (".weight.quant_map", "bitsandbytes"),
        (".SCB", "bitsandbytes"),
    ];
    endings.into_iter().find(|(end, _)| name.ends_with(end)).map(|(_, format)| format)
}
