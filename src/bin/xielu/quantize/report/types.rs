//! What a report compares.

use xielu::convert::DTYPES;
use xielu::imatrix::ImportanceMatrix;
use xielu::kernels::DType;
use xielu::quant::WEIGHTED;

/// The types of a report that is not told any, most bits first.
pub const TYPES: [DType; 5] = [DType::Q8_0, DType::Q6_K, DType::Q5_K, DType::Q4_K, DType::Q4_0];

/// A type, with or without the weights of an importance matrix.
#[derive(Clone, Copy)]
pub struct Candidate<'i> {
    pub dtype: DType,
    pub matrix: Option<&'i ImportanceMatrix>,
}

/// Every type, and those that have a use for weights with these too.
pub fn candidates<'i>(types: &[DType], matrix: Option<&'i ImportanceMatrix>) -> Vec<Candidate<'i>> {
    let with = |&dtype: &DType| {
        let weighted = matrix.filter(|_| WEIGHTED.contains(&dtype));
        let weighted = weighted.map(|matrix| Candidate { dtype, matrix: Some(matrix) });
        [Some(Candidate { dtype, matrix: None }), weighted].into_iter().flatten()
    };
    types.iter().flat_map(with).collect()
}

impl Candidate<'_> {
    /// The type's name, marked if there are weights.
    pub fn name(&self) -> String {
        let name = DTYPES.iter().find(|(_, dtype)| *dtype == self.dtype);
        marked(name.map_or("", |(name, _)| *name), self.matrix.is_some())
    }
}

/// `name`, marked if there are weights.
pub fn marked(name: &str, weighted: bool) -> String {
    format!("{name}{}", if weighted { "+i" } else { "" })
}
