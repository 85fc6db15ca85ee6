//! A model's file and the views into it, in one value.
#![expect(
    clippy::disallowed_methods,
    reason = "self_cell asserts with it that views may be shortened"
)]

use std::boxed::Box;
use std::sync::Arc;
use std::vec;
use std::vec::Vec;

use self_cell::{MutBorrow, self_cell};

use super::memory::allocate;
use super::{SessionError, SessionOptions};
use crate::Config;
use crate::checkpoint::{ModelFile, ModelView};
use crate::llama::{Layer, Model};

/// The bytes that weights are borrowed from.
struct Bytes {
    file: Arc<ModelFile>,
    packed: MutBorrow<Box<[u8]>>,
}

/// The views into them.
struct Loaded<'w> {
    view: ModelView<'w>,
    layers: Vec<Layer<'w>>,
    /// The model without its layers.
    model: Model<'w, 'w>,
    packed_bytes: usize,
}

self_cell!(
    struct Cell {
        owner: Bytes,
        #[covariant]
        dependent: Loaded,
    }
);

/// A loaded model that owns its bytes.
pub(super) struct Weights(Cell);

impl Weights {
    /// Looks up all tensors, and packs them if `options` say so.
    pub(super) fn load(
        file: Arc<ModelFile>,
        options: &SessionOptions,
    ) -> Result<Self, SessionError> {
        let bytes = Bytes { file, packed: MutBorrow::new(Box::default()) };
        Cell::try_new(bytes, |bytes| load(bytes, options)).map(Weights)
    }

    pub(super) fn view(&self) -> &ModelView<'_> {
        &self.0.borrow_dependent().view
    }

    pub(super) fn config(&self) -> &Config {
        self.0.borrow_dependent().model.config()
    }

    pub(super) fn model(&self) -> Model<'_, '_> {
        let loaded = self.0.borrow_dependent();
        Model { layers: &loaded.layers, ..loaded.model }
    }

    pub(super) fn packed_bytes(&self) -> usize {
        self.0.borrow_dependent().packed_bytes
    }
}

fn load<'w>(bytes: &'w Bytes, options: &SessionOptions) -> Result<Loaded<'w>, SessionError> {
    let view = bytes.file.view()?;
    let checkpoint = view.checkpoint();
    let count = checkpoint.config().map_err(SessionError::Load)?.num_layers;
    let mut layers = vec![Layer::EMPTY; count];
    let model = Model::load(checkpoint, &mut layers).map_err(SessionError::Load)?;
    let without_layers = |model: Model<'_, 'w>| -> Model<'w, 'w> {
        let Model { config, token_embd, rope_freqs, output_norm, output, .. } = model;
        Model { config, token_embd, rope_freqs, layers: &[], output_norm, output }
    };
    if !options.pack {
        let model = without_layers(model);
        return Ok(Loaded { view, layers, model, packed_bytes: 0 });
    }
    let packed_bytes = model.packed_bytes(&options.kernels);
    let memory = bytes.packed.borrow_mut();
    *memory = allocate(packed_bytes, "packed weights take")?;
    let mut packed_layers = vec![Layer::EMPTY; count];
    let packed = model.pack(&options.kernels, &mut packed_layers, memory);
    let model = without_layers(packed.map_err(SessionError::Load)?);
    Ok(Loaded { view, layers: packed_layers, model, packed_bytes })
}
