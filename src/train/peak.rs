//! The largest speeds of GPUs.

use std::format;

/// bf16 products with f32 sums, dense, of tensor cores: operations a second, from NVIDIA's data
/// sheets. The first one whose words are in a device's name counts.
const PEAKS: &[(&str, f64)] = &[
    ("B200", 2250e12),
    ("GH200", 989e12),
    ("H200", 989e12),
    ("H100 PCIe", 756e12),
    ("H100 NVL", 835e12),
    ("H100", 989e12),
    ("H800", 989e12),
    ("A100", 312e12),
    ("A800", 312e12),
    ("A40", 150e12),
    ("A10G", 70e12),
    ("A10", 125e12),
    ("L40S", 362e12),
    ("L40", 181e12),
    ("L4", 121e12),
    ("RTX 5090", 210e12),
    ("RTX 4090", 165e12),
    ("RTX 3090", 71e12),
];

/// The largest speed of the GPU that the driver calls `name`, in bf16 operations a second; `None`
/// if it is not known here.
pub fn peak_flops(name: &str) -> Option<f64> {
    // Slower chips of the same name.
    if name.contains("Laptop") {
        return None;
    }
    let words = format!(" {} ", name.replace('-', " "));
    let found = PEAKS.iter().find(|(part, _)| words.contains(&format!(" {part} ")));
    found.map(|&(_, peak)| peak)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_as_drivers_give_them() {
        for (name, peak) in [
            ("NVIDIA H100 80GB HBM3", Some(989e12)),
            ("NVIDIA H100 PCIe", Some(756e12)),
            ("NVIDIA A100-SXM4-80GB", Some(312e12)),
            ("NVIDIA A10G", Some(70e12)),
            ("NVIDIA L40S", Some(362e12)),
            ("NVIDIA L4", Some(121e12)),
            ("NVIDIA GeForce RTX 4090", Some(165e12)),
            ("NVIDIA GeForce RTX 4090 Laptop GPU", None),
            ("NVIDIA RTX A4000", None),
            ("NVIDIA RTX A1000", None),
            ("Tesla T4", None),
            ("pretended", None),
        ] {
            assert_eq!(peak_flops(name), peak, "{name}");
        }
    }
}
