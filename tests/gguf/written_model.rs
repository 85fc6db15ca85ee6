//! A model that is metadata alone, written as a file.

use std::collections::BTreeMap;

use xielu::checkpoint::Checkpoint;
use xielu::checkpoint::gguf::{GgmlType, Gguf, GgufWriter, Value};
use xielu::{Error, RawXielu};

/// A value to write: the reader's own, or an array of f32.
#[derive(Clone)]
pub enum V {
    One(Value<'static>),
    F32s(Vec<f32>),
    U32s(Vec<u32>),
    I32s(Vec<i32>),
}

/// A two-layer model of hidden size 8: its metadata, and its tensors' shapes and types.
#[derive(Clone)]
pub struct Model {
    pub pairs: BTreeMap<String, V>,
    pub tensors: BTreeMap<String, (Vec<u64>, u32)>,
}

impl Model {
    pub fn new(arch: &'static str) -> Self {
        let mut model = Model { pairs: BTreeMap::new(), tensors: BTreeMap::new() };
        model.set("general.architecture", V::One(Value::Str(arch)));
        for (name, value) in [
            ("vocab_size", 6),
            ("embedding_length", 8),
            ("feed_forward_length", 12),
            ("block_count", 2),
            ("context_length", 64),
            ("attention.head_count", 2),
            ("attention.head_count_kv", 1),
        ] {
            model.set(&format!("{arch}.{name}"), V::One(Value::U32(value)));
        }
        model.set(&format!("{arch}.attention.layer_norm_rms_epsilon"), V::One(Value::F32(1e-5)));
        model.set("xielu.alpha_p", V::F32s(vec![1.0, 2.0]));
        model.set("xielu.alpha_n", V::F32s(vec![3.0, 4.0]));
        model.tensors.insert("token_embd.weight".into(), (vec![8, 6], 0));
        model.tensors.insert("output.weight".into(), (vec![8, 6], 0));
        model
    }

    pub fn set(&mut self, key: &str, value: V) -> &mut Self {
        self.pairs.insert(key.into(), value);
        self
    }

    pub fn with(&self, key: &str, value: V) -> Self {
        self.clone().set(key, value).clone()
    }

    pub fn without(&self, key: &str) -> Self {
        let mut model = self.clone();
        model.pairs.remove(key).unwrap();
        model
    }

    pub fn file(&self) -> Vec<u8> {
        let mut writer = GgufWriter::new();
        for (key, value) in &self.pairs {
            match value {
                V::One(value) => writer.pair(key, *value).unwrap(),
                V::F32s(values) => writer.f32s(key, values).unwrap(),
                V::U32s(values) => writer.u32s(key, values).unwrap(),
                V::I32s(values) => writer.i32s(key, values).unwrap(),
            }
        }
        for (name, (dims, id)) in &self.tensors {
            writer.tensor(name, dims, GgmlType(*id)).unwrap();
        }
        let mut data = writer.begin(Vec::new()).unwrap();
        for (dims, id) in self.tensors.values() {
            let id = GgmlType(*id);
            let blocks = dims.iter().product::<u64>() / id.block_len().unwrap();
            data.write(&vec![0; (blocks * id.block_bytes().unwrap()) as usize]).unwrap();
        }
        data.finish().unwrap()
    }

    pub fn config(&self) -> Result<xielu::Config, Error> {
        Gguf::parse(&self.file()).unwrap().config()
    }

    pub fn raw_xielu(&self, layer: usize) -> Result<RawXielu, Error> {
        Gguf::parse(&self.file()).unwrap().raw_xielu(layer)
    }
}

pub fn text(value: &'static str) -> V {
    V::One(Value::Str(value))
}

/// What is wrong with a key.
pub fn bad_key(error: Error) -> String {
    match error {
        Error::BadKey { key, problem } => format!("{key} {problem}"),
        other => panic!("{other:?}"),
    }
}
