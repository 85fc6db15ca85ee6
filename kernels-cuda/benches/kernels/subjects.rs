//! What is measured: kernels of the crate, and earlier versions of them.

use std::ffi::c_void;
use std::sync::Arc;

use half::{bf16, f16};
use xielu_kernels_cuda::cudarc::driver::{
    CudaFunction, CudaSlice, CudaStream, DevicePtr, result, sys::CUdeviceptr,
};
use xielu_kernels_cuda::cudarc::nvrtc::Ptx;
use xielu_kernels_cuda::{
    ActivationKind, Backward, Coefficients, Cuda, DType, Scalars, SwigluBackward,
    backward_workspace_len,
};

use super::Result;

const EMPTY: &str = include_str!("../versions/empty.ptx");
const XIELU_FORWARD_1: &str = include_str!("../versions/xielu_forward_1.ptx");

/// Of copy bandwidth.
const FORWARD_GOAL: f64 = 0.92;
const BACKWARD_GOAL: f64 = 0.88;

const COEFFICIENTS: Coefficients =
    Coefficients { alpha_p: 1.29, alpha_n: 0.93, beta: 0.5, eps: 0.0 };
const THREADS: u32 = 256;
/// Elements a block takes at a time.
const STEP: u64 = 2048;

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    Forward(ActivationKind),
    Swiglu,
    /// xIELU as it was first.
    Forward1,
    ForwardQ8_0(ActivationKind),
    SwigluQ8_0,
    Backward(ActivationKind),
    /// The same, added to what is there.
    BackwardAccumulating(ActivationKind),
    SwigluBackward,
}

/// One line of the table.
pub struct Subject {
    kind: Kind,
    dtype: DType,
    /// The least ratio to a copy that is hoped for.
    pub goal: Option<f64>,
}

pub fn subjects(dtype: DType) -> Vec<Subject> {
    use ActivationKind::{Relu2, Xielu, Xiprelu};
    let goals = dtype != DType::F16;
    let mut all = Vec::new();
    let mut add = |kind, goal: Option<f64>| {
        all.push(Subject { kind, dtype, goal: goal.filter(|_| goals) });
    };
    add(Kind::Forward(Xielu), Some(FORWARD_GOAL));
    add(Kind::Forward1, None);
    add(Kind::Forward(Xiprelu), None);
    add(Kind::Forward(Relu2), None);
    add(Kind::Swiglu, None);
    add(Kind::ForwardQ8_0(Xielu), None);
    add(Kind::SwigluQ8_0, None);
    add(Kind::Backward(Xielu), Some(BACKWARD_GOAL));
    add(Kind::BackwardAccumulating(Xielu), None);
    add(Kind::Backward(Xiprelu), None);
    add(Kind::Backward(Relu2), None);
    add(Kind::SwigluBackward, None);
    all
}

fn name_of(kind: ActivationKind) -> &'static str {
    match kind {
        ActivationKind::Xielu => "xielu",
        ActivationKind::Xiprelu => "xiprelu",
        _ => "relu2",
    }
}

impl Subject {
    pub fn name(&self) -> String {
        match self.kind {
            Kind::Forward(f) => format!("{} forward", name_of(f)),
            Kind::Swiglu => "swiglu forward".into(),
            Kind::Forward1 => "xielu forward, version 1".into(),
            Kind::ForwardQ8_0(f) => format!("{} to q8_0", name_of(f)),
            Kind::SwigluQ8_0 => "swiglu to q8_0".into(),
            Kind::Backward(f) => format!("{} backward", name_of(f)),
            Kind::BackwardAccumulating(f) => format!("{} backward, adding", name_of(f)),
            Kind::SwigluBackward => "swiglu backward".into(),
        }
    }

    /// Bytes read and written for `n` elements.
    pub fn bytes(&self, n: u64) -> u64 {
        let blocks = n / 32 * 34;
        let values = n * self.dtype.size();
        match self.kind {
            Kind::Forward(_) | Kind::Forward1 => 2 * values,
            Kind::Swiglu | Kind::Backward(_) => 3 * values,
            Kind::ForwardQ8_0(_) => values + blocks,
            Kind::SwigluQ8_0 => 2 * values + blocks,
            Kind::BackwardAccumulating(_) => 4 * values,
            Kind::SwigluBackward => 5 * values,
        }
    }

    /// Gradients of alphas take a second launch.
    pub fn is_one_launch(&self) -> bool {
        matches!(self.kind, Kind::Forward(_))
    }
}

/// A kernel's argument struct, `ForwardArgs` in `cuda/forward.cuh`.
#[repr(C)]
struct ForwardArgs {
    x: CUdeviceptr,
    y: CUdeviceptr,
    n: u64,
    device: CUdeviceptr,
    value: Coefficients,
    slopes: [f64; 2],
}

/// Buffers and kernels for one storage type.
pub struct Bench<'a> {
    cuda: &'a Cuda,
    stream: Arc<CudaStream>,
    dtype: DType,
    n: u64,
    buffers: Vec<CudaSlice<u8>>,
    addresses: [CUdeviceptr; 5],
    workspace: CudaSlice<u8>,
    alphas: CudaSlice<f32>,
    empty: CudaFunction,
    forward_1: CudaFunction,
}

impl<'a> Bench<'a> {
    /// Room for `n` elements.
    pub fn new(cuda: &'a Cuda, dtype: DType, n: u64) -> Result<Self> {
        let stream = cuda.context().new_stream()?;
        let bytes = pre_activations(dtype, n);
        let buffers: Vec<CudaSlice<u8>> =
            (0..5).map(|_| stream.clone_htod(&bytes)).collect::<std::result::Result<_, _>>()?;
        let addresses = std::array::from_fn(|i| buffers[i].device_ptr(&stream).0);
        let load = |ptx: &str, name: &str| {
            cuda.context().load_module(Ptx::from_src(ptx))?.load_function(name)
        };
        let forward_1 = ["xielu_forward_1_f32", "xielu_forward_1_bf16", "xielu_forward_1_f16"];
        Ok(Bench {
            dtype,
            n,
            addresses,
            workspace: stream.alloc_zeros(backward_workspace_len(n) as usize)?,
            alphas: stream.alloc_zeros(2)?,
            empty: load(EMPTY, "empty")?,
            forward_1: load(XIELU_FORWARD_1, forward_1[dtype as usize])?,
            cuda,
            stream,
            buffers,
        })
    }

    pub fn n(&self) -> u64 {
        self.n
    }

    pub fn stream(&self) -> &Arc<CudaStream> {
        &self.stream
    }

    /// Fails if an earlier version of a kernel gives other bits.
    pub fn versions_agree(&self) -> Result<()> {
        let [now, before] = [Kind::Forward(ActivationKind::Xielu), Kind::Forward1].map(|kind| {
            self.launch(&Subject { kind, dtype: self.dtype, goal: None }, self.n)?;
            Ok::<_, Box<dyn std::error::Error>>(self.stream.clone_dtoh(&self.buffers[4])?)
        });
        if now? == before? { Ok(()) } else { Err("version 1 has other bits".into()) }
    }

    /// Queues a copy that reads and writes `bytes` together.
    pub fn copy(&self, bytes: u64) -> Result<()> {
        // A buffer is as large as its elements: longer copies take several.
        let [mut left, whole] = [bytes / 2, self.n * self.dtype.size()];
        while left > 0 {
            let part = left.min(whole);
            let [from, .., to] = self.addresses;
            // SAFETY: both buffers hold `whole` bytes and live as long as the stream is in use.
            unsafe {
                result::memcpy_dtod_async(to, from, part as usize, self.stream.cu_stream())?;
            }
            left -= part;
        }
        Ok(())
    }

    pub fn empty(&self) -> Result<()> {
        self.run(&self.empty, SMALL_BLOCKS, 0)
    }

    /// Queues a kernel on the first `n` elements.
    pub fn launch(&self, subject: &Subject, n: u64) -> Result<()> {
        let (dtype, raw) = (self.dtype, self.cuda.raw(&self.stream));
        let [a, b, c, d, e] = self.addresses;
        let value = Scalars::effective(COEFFICIENTS);
        let backward = |kind: ActivationKind, accumulate_dx| {
            let alphas = if kind.has_alphas() { self.alphas.device_ptr(&self.stream).0 } else { 0 };
            let operands = Backward {
                x: a,
                dy: b,
                dx: e,
                draw_p: alphas,
                draw_n: if alphas == 0 { 0 } else { alphas + 4 },
                workspace: self.workspace.device_ptr(&self.stream).0,
                n,
                accumulate_dx,
                accumulate_alphas: false,
            };
            // SAFETY: the buffers are of this device, hold `n` elements and live as long as the
            // stream is in use.
            unsafe { raw.backward(kind, value, dtype, &operands) }
        };
        // SAFETY: as above; a buffer of `n` values of two bytes or more holds their blocks.
        unsafe {
            match subject.kind {
                Kind::Forward(f) => raw.forward(f, value, dtype, [a, e], n)?,
                Kind::Swiglu => raw.swiglu(dtype, [a, b, e], n)?,
                Kind::Forward1 => {
                    let most = u64::from(self.blocks());
                    self.run(&self.forward_1, n.div_ceil(STEP).min(most) as u32, n)?;
                }
                Kind::ForwardQ8_0(f) => raw.forward_q8_0(f, value, dtype, [a, e], n)?,
                Kind::SwigluQ8_0 => raw.swiglu_q8_0(dtype, [a, b, e], n)?,
                Kind::Backward(f) => backward(f, false)?,
                Kind::BackwardAccumulating(f) => backward(f, true)?,
                Kind::SwigluBackward => {
                    let accumulate = false;
                    let operands =
                        SwigluBackward { gate: a, up: b, dy: c, d_gate: d, d_up: e, n, accumulate };
                    raw.swiglu_backward(dtype, &operands)?;
                }
            }
        }
        Ok(())
    }

    /// As many blocks as the crate launches at most.
    fn blocks(&self) -> u32 {
        use xielu_kernels_cuda::Launch;
        self.cuda.raw(&self.stream).0.blocks() as u32
    }

    fn run(&self, function: &CudaFunction, blocks: u32, n: u64) -> Result<()> {
        let [x, .., y] = self.addresses;
        let args = ForwardArgs { x, y, n, device: 0, value: COEFFICIENTS, slopes: [1.0; 2] };
        let mut params = [(&raw const args).cast_mut().cast::<c_void>()];
        // SAFETY: the struct is the one the kernel takes, and the buffers hold `n` elements.
        unsafe {
            result::launch_kernel(
                function.cu_function(),
                (blocks, 1, 1),
                (THREADS, 1, 1),
                0,
                self.stream.cu_stream(),
                &mut params,
            )?;
        }
        Ok(())
    }
}

/// Blocks of a launch on one token.
const SMALL_BLOCKS: u32 = super::SMALL.div_ceil(STEP) as u32;

/// The bytes of `n` values of about the normal distribution's shape, a million of them repeated.
fn pre_activations(dtype: DType, n: u64) -> Vec<u8> {
    let mut state = 1u64;
    let mut uniform = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1u64 << 24) as f32
    };
    let mut part = Vec::new();
    for _ in 0..n.min(1 << 20) {
        let x = 2.0 * (uniform() + uniform() + uniform() - 1.5) - 0.7;
        match dtype {
            DType::F32 => part.extend(x.to_ne_bytes()),
            DType::BF16 => part.extend(bf16::from_f32(x).to_ne_bytes()),
            DType::F16 => part.extend(f16::from_f32(x).to_ne_bytes()),
        }
    }
    let bytes = (n * dtype.size()) as usize;
    part.into_iter().cycle().take(bytes).collect()
}
