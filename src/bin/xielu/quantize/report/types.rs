//! The types that a report compares.

use xielu::kernels::DType;

/// Quantized types, most bits first.
pub const TYPES: [(&str, DType); 5] = [
    ("q8_0", DType::Q8_0),
    ("q6_k", DType::Q6_K),
    ("q5_k", DType::Q5_K),
    ("q4_k", DType::Q4_K),
    ("q4_0", DType::Q4_0),
];
