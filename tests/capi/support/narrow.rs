//! A model whose MLP is as wide as K-quant blocks need.

use xielu::checkpoint::gguf::{GgmlType, Gguf, GgufWriter, Value};
use xielu::kernels::DType;

use super::model_bytes;

/// Width of the MLP: whole K-quant blocks.
const FFN: u64 = 512;

/// The bundled model with a narrower MLP, whose down projections are of `dtype`, all zeros, from
/// layer `from` on.
pub fn narrow(dtype: DType, from: usize) -> Vec<u8> {
    let bytes = model_bytes();
    let whole = Gguf::parse(&bytes).unwrap();
    let mut writer = GgufWriter::new();
    for (key, value) in whole.metadata() {
        let width = key == "apertus.feed_forward_length";
        writer.pair(key, if width { Value::U32(FFN as u32) } else { value }).unwrap();
    }
    let mut data = Vec::new();
    for tensor in whole.tensors() {
        let old = whole.tensor_data(&tensor).unwrap();
        let (dims, ggml_type, new) = match tensor.dims() {
            &[cols, _] if tensor.name.contains("ffn_up") => {
                let row = old.len() / tensor.dims()[1] as usize;
                (vec![cols, FFN], tensor.ggml_type, old[..row * FFN as usize].to_vec())
            }
            &[_, rows] if tensor.name.contains("ffn_down") => {
                let layer: usize = tensor.name.split('.').nth(1).unwrap().parse().unwrap();
                let dtype = if layer >= from { dtype } else { DType::Q8_0 };
                let size = rows as usize * dtype.row_bytes(FFN as usize).unwrap();
                (vec![FFN, rows], GgmlType::from_dtype(dtype).unwrap(), vec![0; size])
            }
            dims => (dims.to_vec(), tensor.ggml_type, old.to_vec()),
        };
        writer.tensor(tensor.name, &dims, ggml_type).unwrap();
        data.push(new);
    }
    let mut file = writer.begin(Vec::new()).unwrap();
    data.iter().for_each(|bytes| file.write(bytes).unwrap());
    file.finish().unwrap()
}
