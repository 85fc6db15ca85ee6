//! The structs that kernels take, field by field as in `cuda/*.cuh` and `cuda/*.cu`.

use xielu_kernels_simd::Coefficients;

use crate::Scalars;

/// Scalars as an address (or 0), and the values of those that are in the launch.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct ScalarsArg {
    device: u64,
    coefficients: Coefficients,
    slopes: [f64; 2],
}

/// Bytes of what is at [`Scalars::Device`]: four f32 and two f64.
pub(crate) const SCALARS_BYTES: u64 = 32;

const _: () = assert!(size_of::<ScalarsArg>() as u64 == 8 + SCALARS_BYTES);

impl From<Scalars> for ScalarsArg {
    fn from(scalars: Scalars) -> Self {
        match scalars {
            Scalars::Value { coefficients, slopes } => {
                ScalarsArg { device: 0, coefficients, slopes }
            }
            Scalars::Device(device) => ScalarsArg { device, ..Scalars::NONE.into() },
        }
    }
}

#[repr(C)]
pub(crate) struct Forward {
    pub x: u64,
    pub y: u64,
    pub n: u64,
    pub scalars: ScalarsArg,
}

#[repr(C)]
pub(crate) struct Swiglu {
    pub gate: u64,
    pub up: u64,
    pub y: u64,
    pub n: u64,
}

#[repr(C)]
pub(crate) struct Backward {
    pub x: u64,
    pub dy: u64,
    pub dx: u64,
    pub n: u64,
    pub partials: u64,
    pub scalars: ScalarsArg,
    pub accumulate: u32,
}

#[repr(C)]
pub(crate) struct SwigluBackward {
    pub gate: u64,
    pub up: u64,
    pub dy: u64,
    pub d_gate: u64,
    pub d_up: u64,
    pub n: u64,
    pub accumulate: u32,
}

#[repr(C)]
pub(crate) struct AlphaGradients {
    pub partials: u64,
    pub tiles: u64,
    pub scalars: ScalarsArg,
    pub draw_p: u64,
    pub draw_n: u64,
    pub accumulate: u32,
}

#[repr(C)]
pub(crate) struct Freeze {
    pub raw_p: u64,
    pub raw_n: u64,
    pub out: u64,
    pub beta: f32,
    pub eps: f32,
    pub dtype: u32,
    pub beta_in_alpha_n: u32,
}

#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct Inputs {
    pub quants: u64,
    pub groups: u64,
    pub values: u64,
    pub stride: u64,
}

#[repr(C)]
pub(crate) struct Quantize {
    pub x: u64,
    pub gate: u64,
    pub to: Inputs,
    pub cols: u64,
    pub tokens: u64,
    pub scalars: ScalarsArg,
}

#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct Tiles {
    pub quants: u64,
    pub high: u64,
    pub scales: u64,
    pub super_scales: u64,
    pub rows: u64,
    pub blocks: u64,
}

#[repr(C)]
pub(crate) struct Repack {
    pub from: u64,
    pub row_bytes: u64,
    pub first: u64,
    pub count: u64,
    pub cols: u64,
    pub to: Tiles,
}

#[repr(C)]
pub(crate) struct Product {
    pub w: Tiles,
    pub x: Inputs,
    pub y: u64,
    pub tokens: u64,
    pub split: u32,
    pub add: u32,
}

#[repr(C)]
pub(crate) struct FloatProduct {
    pub w: u64,
    pub stride: u64,
    pub rows: u64,
    pub x: Inputs,
    pub y: u64,
    pub tokens: u64,
    pub split: u32,
    pub add: u32,
}
