//! The model's trained tensors, under their Hugging Face names.

use std::format;
use std::string::{String, ToString};
use std::vec;
use std::vec::Vec;

use candle_core::{DType, Device, Tensor, Var};

use crate::Config;
use crate::checkpoint::Role;
use crate::train::TrainError;

/// What a parameter is; it decides how it is initialised and updated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParameterKind {
    /// A matrix, an embedding or the weights of a norm.
    Tensor(Role),
    /// `alpha_p` of a layer.
    AlphaP(usize),
    /// `alpha_n` of a layer.
    AlphaN(usize),
}

/// A trained tensor.
#[derive(Clone, Debug)]
pub struct Parameter {
    name: String,
    kind: ParameterKind,
    var: Var,
}

impl Parameter {
    /// Its name in Hugging Face checkpoints.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its values.
    pub fn tensor(&self) -> &Tensor {
        &self.var
    }

    /// The variable itself.
    pub fn var(&self) -> &Var {
        &self.var
    }

    /// Whether it is one of the activation's scalars.
    pub fn is_alpha(&self) -> bool {
        !matches!(self.kind, ParameterKind::Tensor(_))
    }

    /// Whether weight decay applies: to matrices, not to norms and alphas.
    pub fn is_decayed(&self) -> bool {
        matches!(self.kind, ParameterKind::Tensor(role) if !role.is_vector())
    }
}

/// All of them, in the order of [`all`].
#[derive(Debug)]
pub(super) struct Parameters(Vec<Parameter>);

/// Kind, name and shape of every parameter of a model.
pub(super) fn all(config: &Config) -> Vec<(ParameterKind, String, Vec<usize>)> {
    let tensors = Role::all(config).map(|role| {
        let (rows, cols) = role.shape(config);
        let shape = if role.is_vector() { vec![cols] } else { vec![rows, cols] };
        (ParameterKind::Tensor(role), name(config, role), shape)
    });
    let alphas = if config.hidden_act.has_alphas() { config.num_layers } else { 0 };
    let alphas = (0..alphas).flat_map(|layer| {
        let name = |alpha| format!("model.layers.{layer}.mlp.act_fn.{alpha}");
        [
            (ParameterKind::AlphaP(layer), name("alpha_p"), vec![1]),
            (ParameterKind::AlphaN(layer), name("alpha_n"), vec![1]),
        ]
    });
    tensors.chain(alphas).collect()
}

/// Apertus's names for the models it describes (ungated, with QK-norm), Llama's for the others.
fn name(config: &Config, role: Role) -> String {
    let is_apertus = config.qk_norm && !config.hidden_act.is_gated();
    let names = role.hf_names();
    let name = if is_apertus { names.first() } else { names.last() };
    let name = name.copied().unwrap_or_default();
    match role {
        Role::Output => name.to_string(),
        Role::Layer(layer, _) => format!("model.layers.{layer}.{name}"),
        _ => format!("model.{name}"),
    }
}

impl Parameters {
    /// Variables of `dtype` with the values that `value` gives for an index, name and shape.
    pub fn new(
        config: &Config,
        dtype: DType,
        device: &Device,
        mut value: impl FnMut(usize, &str, &[usize]) -> Result<Tensor, TrainError>,
    ) -> Result<Self, TrainError> {
        let all = all(config).into_iter().enumerate();
        let parameters = all.map(|(index, (kind, name, shape))| {
            let value = value(index, &name, &shape)?.to_device(device)?.to_dtype(dtype)?;
            // A copy: a variable must not share the memory of what it was made from.
            let var = Var::from_tensor(&value.copy()?)?;
            Ok(Parameter { name, kind, var })
        });
        parameters.collect::<Result<_, TrainError>>().map(Parameters)
    }

    pub fn as_slice(&self) -> &[Parameter] {
        &self.0
    }

    fn find(&self, kind: ParameterKind) -> Option<Tensor> {
        self.0.iter().find(|p| p.kind == kind).map(|p| p.tensor().clone())
    }

    pub fn by_role(&self, role: Role) -> Result<Tensor, TrainError> {
        self.find(ParameterKind::Tensor(role)).ok_or_else(|| missing(role))
    }

    /// `alpha_p` and `alpha_n` of a layer, for activations that have them.
    pub fn alphas(&self, layer: usize) -> Option<[Tensor; 2]> {
        Some([self.find(ParameterKind::AlphaP(layer))?, self.find(ParameterKind::AlphaN(layer))?])
    }
}

/// The error of a parameter that the shape calls for and the list lacks.
pub(super) fn missing(role: Role) -> TrainError {
    TrainError::Data(format!("the model has no tensor {role}"))
}
