//! Whether a directory has the tensors that its configuration calls for, and only those.

use std::string::{String, ToString};
use std::sync::OnceLock;
use std::vec::Vec;
use std::{format, vec};

use safetensors::Dtype;

use super::fp8::{Fp8Matrix, Scales, scale_grid};
use super::quantization::Fp8;
use super::shards::Entry;
use super::weights::{dtype, first_value};
use super::{HfDir, HfError};
use crate::checkpoint::Role;
use crate::config::raw_xielu::RawXielu;

/// Tensors beside those in FP8 that say how activations would be quantized, which they are not.
const OF_ACTIVATIONS: [&str; 9] = [
    "input_scale",
    "input_zero_point",
    "output_scale",
    "output_zero_point",
    "activation_scale",
    "q_scale",
    "k_scale",
    "v_scale",
    "kv_scale",
];

impl HfDir {
    pub(super) fn entry(&self, role: Role) -> Option<(String, &Entry)> {
        if role == Role::Output && self.config.tie_word_embeddings {
            return None;
        }
        role.hf_names().iter().find_map(|suffix| {
            let name = self.full_name(role, suffix);
            self.shards.get(&name).map(|entry| (name, entry))
        })
    }

    fn full_name(&self, role: Role, suffix: &str) -> String {
        let (prefix, head) = self.names;
        match role {
            Role::Output => head.into(),
            Role::Layer(n, _) => format!("{prefix}layers.{n}.{suffix}"),
            _ => format!("{prefix}{suffix}"),
        }
    }

    /// Checks that every tensor is there, of the right shape and a type that can be read.
    pub(super) fn check_tensors(&self) -> Result<(), HfError> {
        for role in Role::all(&self.config) {
            match (self.entry(role), role.hf_names().first()) {
                (Some((name, entry)), _) => self.check_tensor(name, entry, role)?,
                (None, Some(suffix)) => {
                    return Err(HfError::MissingTensor(self.full_name(role, suffix)));
                }
                (None, None) => {}
            }
        }
        Ok(())
    }

    fn check_tensor(&self, name: String, entry: &Entry, role: Role) -> Result<(), HfError> {
        let (rows, cols) = role.shape(&self.config);
        if entry.dtype != Dtype::F8_E4M3 || role.is_vector() {
            dtype(&name, entry)?;
        }
        let expected = if role.is_vector() { vec![cols] } else { vec![rows, cols] };
        if entry.shape != expected {
            return Err(HfError::Shape { name, expected, found: entry.shape.clone() });
        }
        self.fp8_matrix(role).map(|_| ())
    }

    /// Refuses what would silently change the result: biases, gates of ungated models, norms of
    /// single layers, layers beyond the configured number, one tensor under two names.
    pub(super) fn refuse_unused(&self) -> Result<(), HfError> {
        let (prefix, head) = self.names;
        let used: std::collections::BTreeSet<String> = Role::all(&self.config)
            .filter_map(|role| self.entry(role).map(|(name, _)| name))
            .collect();
        for name in self.shards.names() {
            let bias = head.strip_suffix("weight").and_then(|head| name.strip_prefix(head));
            let inside = match name.strip_prefix(prefix) {
                // Without a prefix, other parts of the model are beside the layers.
                Some(rest) => !prefix.is_empty() || rest.starts_with("layers."),
                None => false,
            };
            let concerns = inside || bias == Some("bias");
            if concerns && !used.contains(name) && !self.is_harmless(name) {
                return Err(HfError::UnusedTensor(name.into()));
            }
        }
        Ok(())
    }

    /// Whether a tensor that plays no role changes nothing: an activation's scalars, which are
    /// read elsewhere, RoPE's frequencies, which are computed, scales.
    fn is_harmless(&self, name: &str) -> bool {
        if name.ends_with("rotary_emb.inv_freq") {
            return true;
        }
        let scaled = name.strip_suffix("_scale").or_else(|| name.strip_suffix("_scale_inv"));
        // Of FP8, or of a type that is refused for itself.
        let is_scaled = |entry: &Entry| dtype(name, entry).is_err();
        if scaled.and_then(|weight| self.shards.get(weight)).is_some_and(is_scaled) {
            return true;
        }
        // Of symmetric weights.
        let zero_point = name.ends_with(".weight_zero_point");
        let zeros = |entry| self.shards.data(entry).is_some_and(|d| d.iter().all(|&b| b == 0));
        if zero_point && self.shards.get(name).is_some_and(zeros) {
            return true;
        }
        let last = name.rsplit('.').next().unwrap_or_default();
        if self.fp8.is_some() && OF_ACTIVATIONS.contains(&last) {
            return true;
        }
        let layer = name.strip_prefix(self.names.0).and_then(|rest| rest.strip_prefix("layers."));
        let Some((number, rest)) = layer.and_then(|rest| rest.split_once('.')) else {
            return false;
        };
        let exists = number
            .parse::<usize>()
            .is_ok_and(|n| n < self.config.num_layers && n.to_string() == number);
        exists && rest.starts_with("mlp.act_fn.")
    }

    pub(super) fn read_alphas(&self) -> Result<Vec<RawXielu>, HfError> {
        if !self.config.hidden_act.has_alphas() {
            return Ok(vec![]);
        }
        (0..self.config.num_layers)
            .map(|layer| {
                let name = |key| format!("{}layers.{layer}.mlp.act_fn.{key}", self.names.0);
                let alpha =
                    |key| self.scalar(&name(key))?.ok_or_else(|| HfError::MissingTensor(name(key)));
                Ok(RawXielu {
                    alpha_p: alpha("alpha_p")?,
                    alpha_n: alpha("alpha_n")?,
                    beta: self.scalar(&name("beta"))?.unwrap_or(RawXielu::BETA),
                    eps: self.scalar(&name("eps"))?.unwrap_or(RawXielu::EPS),
                })
            })
            .collect()
    }

    /// The value of a tensor of shape `[]` or `[1]`.
    fn scalar(&self, name: &str) -> Result<Option<f32>, HfError> {
        let Some(entry) = self.shards.get(name) else {
            return Ok(None);
        };
        if !matches!(*entry.shape, [] | [1]) {
            let found = entry.shape.clone();
            return Err(HfError::Shape { name: name.into(), expected: vec![1], found });
        }
        let data = self.shards.data(entry).unwrap_or_default();
        let value = match (entry.dtype, data.first_chunk()) {
            (Dtype::F64, Some(bytes)) => Some(f64::from_le_bytes(*bytes) as f32),
            _ => first_value(dtype(name, entry)?, data),
        };
        let finite = value.filter(|value| value.is_finite());
        finite.map(Some).ok_or_else(|| HfError::NotFinite(name.into()))
    }

    /// The tensor that plays `role` and its scales, if it is in FP8.
    pub(super) fn fp8_matrix(&self, role: Role) -> Result<Option<Fp8Matrix<'_>>, HfError> {
        let Some((name, entry)) = self.entry(role).filter(|(_, e)| e.dtype == Dtype::F8_E4M3)
        else {
            return Ok(None);
        };
        let problem = |problem| HfError::Scale { name: name.clone(), problem };
        let endings = ["_scale", "_scale_inv"].map(|end| format!("{name}{end}"));
        let mut found = endings.iter().filter_map(|name| Some((name, self.shards.get(name)?)));
        let (scale_name, scale) =
            found.next().ok_or_else(|| problem("it has no scales (`_scale` or `_scale_inv`)"))?;
        let kind = self.fp8.unwrap_or(Fp8 { block: None, dtype: None });
        let (rows, cols) = role.shape(&self.config);
        let (wide, block) = scale_grid(&scale.shape, [rows, cols], kind.block)
            .ok_or_else(|| problem("its scales are neither one, one a row nor one a block"))?;
        let scale_dtype = dtype(scale_name, scale)?;
        let scale_data = self.shards.data(scale).unwrap_or_default();
        let scales = Scales { dtype: scale_dtype, data: scale_data, cols: wide, block };
        let data = self.shards.data(entry).unwrap_or_default();
        Ok(Some(Fp8Matrix { dtype: kind.dtype.unwrap_or(scale_dtype), rows, cols, data, scales }))
    }

    /// Makes places for the tensors in FP8, checks their scales, and says what they will take.
    pub(super) fn prepare_widening(&mut self) -> Result<(), HfError> {
        let mut places = Vec::new();
        for role in Role::all(&self.config) {
            let Some(matrix) = self.fp8_matrix(role)? else { continue };
            if !matrix.scales.are_finite() {
                let name = self.tensor_name(role).unwrap_or_default();
                return Err(HfError::NotFinite(format!("a scale of {name}")));
            }
            places.push((role, OnceLock::new()));
        }
        if !places.is_empty() {
            let mib = self.widened_bytes().div_ceil(1 << 20);
            self.notes.push(format!(
                "weights in FP8 are widened when a model runs, {mib} MiB in all; activations are \
                 not quantized, whatever config.json says of them"
            ));
        }
        self.widened = places.into_iter().collect();
        Ok(())
    }
}
