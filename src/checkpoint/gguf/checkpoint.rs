//! A GGUF file, or the parts of one, as a checkpoint.

use super::keys::Keys;
use super::{Gguf, SplitGguf, TensorInfo};
use crate::checkpoint::{Checkpoint, Role, Tensor, Visitor};
use crate::config::raw_xielu::RawXielu;
use crate::{Config, ElementType, Error};

impl<'w> Checkpoint<'w> for Gguf<'w> {
    fn config(&self) -> Result<Config, Error> {
        SplitGguf::from(self).config()
    }

    fn tensor(&self, role: Role) -> Result<Option<Tensor<'w>>, Error> {
        self.find(role).map(|info| self.as_weights(role, &info)).transpose()
    }

    fn visit(&self, visitor: Visitor<'_, 'w>) -> Result<(), Error> {
        for info in self.tensors() {
            if let Some(role) = Role::from_gguf_name(info.name) {
                visitor(role, self.as_weights(role, &info)?)?;
            }
        }
        Ok(())
    }

    fn raw_xielu(&self, layer: usize) -> Result<RawXielu, Error> {
        SplitGguf::from(self).raw_xielu(layer)
    }
}

impl<'w> Checkpoint<'w> for SplitGguf<'_, 'w> {
    fn config(&self) -> Result<Config, Error> {
        Keys::of(*self)?.config()
    }

    fn tensor(&self, role: Role) -> Result<Option<Tensor<'w>>, Error> {
        let found = self.parts.iter().find_map(|part| part.tensor(role).transpose());
        found.transpose()
    }

    fn visit(&self, visitor: Visitor<'_, 'w>) -> Result<(), Error> {
        self.parts.iter().try_for_each(|part| part.visit(&mut *visitor))
    }

    fn raw_xielu(&self, layer: usize) -> Result<RawXielu, Error> {
        Keys::of(*self)?.raw_xielu(layer)
    }
}

impl<'w> Gguf<'w> {
    /// The tensor that plays `role`.
    pub(super) fn find(&self, role: Role) -> Option<TensorInfo<'w>> {
        self.tensors().find(|info| Role::from_gguf_name(info.name) == Some(role))
    }

    fn as_weights(&self, role: Role, info: &TensorInfo<'_>) -> Result<Tensor<'w>, Error> {
        let [cols, rows, 1, 1] = info.dims else {
            return Err(Error::TensorRank { role, dims: info.dims().len() });
        };
        let found = ElementType::Ggml(info.ggml_type);
        let unsupported = Error::UnsupportedType { role, found };
        let dtype = info.ggml_type.dtype().ok_or(unsupported)?;
        // The data is in memory, so its dimensions fit `usize`.
        let rows = usize::try_from(rows).map_err(|_| unsupported)?;
        let cols = usize::try_from(cols).map_err(|_| unsupported)?;
        // Only a head has no data.
        let missing =
            if cfg!(feature = "streamed") { Error::MissingTensor(role) } else { unsupported };
        let data = self.tensor_data(info).ok_or(missing)?;
        Ok(Tensor { dtype, rows, cols, data })
    }
}
