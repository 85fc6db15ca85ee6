//! The keys under one architecture's prefix.

use super::found::SCALARS;
use super::{Gguf, SplitGguf, Value, ValueType, typed};
use crate::config::raw_xielu::RawXielu;
use crate::names::Architecture;
use crate::{Error, Key, ShortName};

/// The metadata of a model, of which one architecture's keys are read.
#[derive(Clone, Copy)]
pub(super) struct Keys<'p, 'w> {
    pub(super) split: SplitGguf<'p, 'w>,
    /// The part with the metadata.
    pub(super) gguf: &'p Gguf<'w>,
    pub(super) architecture: Architecture,
    /// The architecture's name.
    prefix: &'static str,
}

impl<'p, 'w> Keys<'p, 'w> {
    pub(super) fn of(split: SplitGguf<'p, 'w>) -> Result<Self, Error> {
        let gguf = split.first()?;
        if let Some(architecture) = gguf.found.architecture {
            return Ok(Keys { split, gguf, architecture, prefix: architecture.name() });
        }
        let key = "general.architecture";
        let name = gguf.read_str(key)?.ok_or(Error::MissingKey(key.into()))?;
        Err(Error::UnsupportedArchitecture(ShortName::new(name)))
    }

    pub(super) const fn key(&self, name: &'static str) -> Key {
        Key { prefix: self.prefix, name }
    }

    pub(super) const fn missing(&self, name: &'static str) -> Error {
        Error::MissingKey(self.key(name))
    }

    pub(super) const fn bad(&self, name: &'static str, problem: &'static str) -> Error {
        Error::BadKey { key: self.key(name), problem }
    }

    /// The pairs under the prefix, without it.
    pub(super) fn pairs(&self) -> impl Iterator<Item = (&'w str, Value<'w>)> + use<'w> {
        let prefix = self.prefix;
        self.gguf.metadata().filter_map(move |(key, value)| {
            Some((key.strip_prefix(prefix)?.strip_prefix('.')?, value))
        })
    }

    fn find(&self, name: &'static str) -> Option<Value<'w>> {
        self.pairs().find(|(key, _)| *key == name).map(|(_, value)| value)
    }

    /// How many layers there are.
    pub(super) fn layers(&self) -> Result<usize, Error> {
        self.stated_layers()?.ok_or(self.missing("block_count"))
    }

    /// The same; `None` if the file does not say.
    fn stated_layers(&self) -> Result<Option<usize>, Error> {
        let value = self.gguf.metadata.value_at(self.gguf.found.block_count);
        value.map(|value| typed::size(self.key("block_count"), value)).transpose()
    }

    /// A number given once or for each layer.
    fn single(
        &self,
        name: &'static str,
        fits: fn(ValueType) -> bool,
        wanted: &'static str,
    ) -> Result<Option<Value<'w>>, Error> {
        let Some(value) = self.find(name) else { return Ok(None) };
        if value.as_array().is_none() {
            return Ok(Some(value));
        }
        typed::single(self.key(name), value, self.stated_layers()?, fits, wanted).map(Some)
    }

    pub(super) fn size(&self, name: &'static str) -> Result<Option<usize>, Error> {
        let value = self.single(name, ValueType::is_integer, "an unsigned integer")?;
        value.map(|value| typed::size(self.key(name), value)).transpose()
    }

    pub(super) fn number(&self, name: &'static str) -> Result<Option<f32>, Error> {
        let value = self.single(name, ValueType::is_number, "a number")?;
        value.map(|value| typed::number(self.key(name), value)).transpose()
    }

    pub(super) fn string(&self, name: &'static str) -> Result<Option<&'w str>, Error> {
        self.find(name).map(|value| typed::string(self.key(name), value)).transpose()
    }

    /// Reads several keys, in their order.
    pub(super) fn read<T>(
        &self,
        names: &[&'static str],
        values: &mut [Option<T>],
        read: fn(&Self, &'static str) -> Result<Option<T>, Error>,
    ) -> Result<(), Error> {
        for (&name, value) in names.iter().zip(values) {
            *value = read(self, name)?;
        }
        Ok(())
    }

    /// The activation's scalars of one layer.
    pub(super) fn raw_xielu(&self, layer: usize) -> Result<RawXielu, Error> {
        let layers = self.layers()?;
        if layer >= layers {
            return Err(Error::NoSuchLayer(layer));
        }
        let mut scalars = [None; 4];
        let places = SCALARS.iter().zip(self.gguf.found.scalars);
        for ((&name, at), scalar) in places.zip(&mut scalars) {
            if let Some(value) = self.gguf.metadata.value_at(at) {
                *scalar = Some(typed::layer_number(name.into(), value, layer, layers)?);
            }
        }
        let [alpha_p, alpha_n, beta, eps] = scalars;
        Ok(RawXielu {
            alpha_p: alpha_p.ok_or(Error::MissingKey("xielu.alpha_p".into()))?,
            alpha_n: alpha_n.ok_or(Error::MissingKey("xielu.alpha_n".into()))?,
            beta: beta.unwrap_or(RawXielu::BETA),
            eps: eps.unwrap_or(RawXielu::EPS),
        })
    }
}
