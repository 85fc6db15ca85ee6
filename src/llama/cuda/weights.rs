//! A model's weights, copied to a device.

use alloc::vec::Vec;

use crate::Error;
use crate::cuda::cudarc::driver::{CudaSlice, DriverError};
use crate::cuda::decoder::{Embedding, QkNorm};
use crate::cuda::{Activation, DeviceMatrix, Error as DeviceError, OnStream};
use crate::llama::layer::Layer;
use crate::llama::model::Model;
use crate::llama::norm::RmsNorm;

/// The weights of a norm and what is added to the mean square.
#[derive(Debug)]
pub(super) struct DeviceNorm {
    pub weight: CudaSlice<f32>,
    pub eps: f32,
}

/// What is between the projections of the MLP.
#[derive(Debug)]
pub(super) enum Between {
    Plain(Activation),
    /// SwiGLU and its third matrix.
    Gated(DeviceMatrix),
}

#[derive(Debug)]
pub(super) struct DeviceLayer {
    pub attn_norm: DeviceNorm,
    pub q: DeviceMatrix,
    pub k: DeviceMatrix,
    pub v: DeviceMatrix,
    pub o: DeviceMatrix,
    pub qk_norm: Option<QkNorm>,
    pub ffn_norm: DeviceNorm,
    pub up: DeviceMatrix,
    pub between: Between,
    pub down: DeviceMatrix,
}

#[derive(Debug)]
pub(super) struct Weights {
    /// Where there is a kernel that reads its rows; else the host reads them.
    pub embedding: Option<Embedding>,
    pub layers: Vec<DeviceLayer>,
    pub output_norm: DeviceNorm,
    pub output: DeviceMatrix,
}

impl Weights {
    /// Copies everything, matrix by matrix.
    pub(super) fn upload(on: &OnStream<'_>, model: &Model<'_, '_>) -> Result<Self, Error> {
        let table = &model.token_embd;
        let embedding = match table.stored() {
            Some(bytes) if Embedding::has(table.dtype()) => {
                let shape = [table.rows(), table.cols()];
                Some(Embedding::upload(on, table.dtype(), shape, bytes)?)
            }
            _ => None,
        };
        let layers: Result<Vec<_>, _> =
            model.layers.iter().map(|layer| DeviceLayer::upload(on, layer)).collect();
        Ok(Weights {
            embedding,
            layers: layers?,
            output_norm: upload_norm(on, &model.output_norm)?,
            output: DeviceMatrix::upload(on, &model.output)?,
        })
    }
}

impl DeviceLayer {
    fn upload(on: &OnStream<'_>, layer: &Layer<'_>) -> Result<Self, Error> {
        let matrix = |m| DeviceMatrix::upload(on, m);
        let mlp = layer.mlp.parts();
        let qk_norm = match &layer.qk_norm {
            Some((q, k)) => {
                let (q, k) = (upload_norm(on, q)?, upload_norm(on, k)?);
                Some(QkNorm { q: q.weight, k: k.weight, eps: q.eps })
            }
            None => None,
        };
        Ok(DeviceLayer {
            attn_norm: upload_norm(on, &layer.attn_norm)?,
            q: matrix(&layer.q)?,
            k: matrix(&layer.k)?,
            v: matrix(&layer.v)?,
            o: matrix(&layer.o)?,
            qk_norm,
            ffn_norm: upload_norm(on, &layer.ffn_norm)?,
            up: matrix(mlp.up)?,
            between: match mlp.act {
                Ok(act) => Between::Plain(act),
                Err(gate) => Between::Gated(matrix(gate)?),
            },
            down: matrix(mlp.down)?,
        })
    }
}

/// A norm's weights, of any float type, as f32.
fn upload_norm(on: &OnStream<'_>, norm: &RmsNorm<'_>) -> Result<DeviceNorm, Error> {
    let (values, eps) = norm.values()?;
    let weight = on.stream().clone_htod(&values).map_err(copying)?;
    Ok(DeviceNorm { weight, eps })
}

pub(super) fn copying(error: DriverError) -> DeviceError {
    DeviceError::Driver { doing: "copying values to or from the device", error }
}
