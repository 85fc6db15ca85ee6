//! The activations of models that can be trained, by the names that configurations have for them.

use std::string::String;

use serde::de::{Deserialize as _, Deserializer, Error as _};
use serde::ser::{Error as _, Serializer};

use crate::kernels::ActivationKind;

const NAMES: [&str; 4] = ["xielu", "xiprelu", "relu2", "swiglu"];

/// Every name, and what it is the name of.
pub const ACTIVATIONS: [(&str, ActivationKind); 4] = [
    (NAMES[0], ActivationKind::Xielu),
    (NAMES[1], ActivationKind::Xiprelu),
    (NAMES[2], ActivationKind::Relu2),
    (NAMES[3], ActivationKind::Swiglu),
];

pub(super) const fn default() -> ActivationKind {
    ActivationKind::Xielu
}

pub(super) fn serialize<S: Serializer>(kind: &ActivationKind, to: S) -> Result<S::Ok, S::Error> {
    match ACTIVATIONS.iter().find(|(_, known)| known == kind) {
        Some((name, _)) => to.serialize_str(name),
        None => Err(S::Error::custom(std::format!("{kind} cannot be trained"))),
    }
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<ActivationKind, D::Error> {
    let name = String::deserialize(from)?;
    let known = ACTIVATIONS.iter().find(|(known, _)| *known == name);
    known.map(|(_, kind)| *kind).ok_or_else(|| D::Error::unknown_variant(&name, &NAMES))
}
