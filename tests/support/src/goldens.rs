//! What transformers computed from the bundled model.

use safetensors::SafeTensors;

use crate::in_repository;

/// A file of the repository.
pub fn read(path: &str) -> Vec<u8> {
    std::fs::read(in_repository(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// What transformers computed from the bundled model.
pub struct Goldens(Vec<u8>);

impl Goldens {
    /// Reads the file.
    pub fn open() -> Self {
        Goldens(read("tests/data/tiny/goldens.safetensors"))
    }

    fn data(&self, name: &str) -> (safetensors::Dtype, Vec<u8>) {
        let tensors = SafeTensors::deserialize(&self.0).unwrap();
        let tensor = tensors.tensor(name).unwrap();
        (tensor.dtype(), tensor.data().to_vec())
    }

    /// The values of a tensor.
    pub fn f32(&self, name: &str) -> Vec<f32> {
        let (dtype, data) = self.data(name);
        assert_eq!(dtype, safetensors::Dtype::F32);
        data.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect()
    }

    /// The token ids of a tensor.
    pub fn ids(&self, name: &str) -> Vec<u32> {
        let (dtype, data) = self.data(name);
        match dtype {
            safetensors::Dtype::I64 => {
                data.as_chunks().0.iter().map(|b| i64::from_le_bytes(*b) as u32).collect()
            }
            safetensors::Dtype::I32 => {
                data.as_chunks().0.iter().map(|b| i32::from_le_bytes(*b) as u32).collect()
            }
            other => panic!("{name} is {other:?}"),
        }
    }
}
