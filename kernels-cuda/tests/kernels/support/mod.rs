//! Where the kernels are tested: on the host always, on device 0 too if there is one.

pub mod calls;
pub mod gradients;
pub mod ptx;

use std::ffi::c_void;
use std::ops::Range;
use std::sync::Arc;

use bytemuck::Pod;
use half::{bf16, f16};
use xielu::kernels::Kernels;
use xielu_kernels_cuda::cudarc::driver::{CudaSlice, CudaStream, DevicePtr};
use xielu_kernels_cuda::host::HostTwin;
use xielu_kernels_cuda::{
    Activation, Coefficients, Cuda, DType, Element, Error, Kernel, Launch, Raw,
};
use xielu_testing::noise::Noise;
use xielu_testing::require;

/// Somewhere kernels run.
pub enum Machine {
    Host,
    /// The PTX, interpreted.
    Ptx(ptx::Buffers),
    Device(Box<Cuda>, Arc<CudaStream>),
}

/// The machines there are; the interpreter, which is slow, if `XIELU_PTX` is set.
pub fn machines() -> Vec<Machine> {
    let mut all = vec![Machine::Host];
    if std::env::var_os("XIELU_PTX").is_some() {
        all.push(Machine::Ptx(ptx::Buffers::default()));
    }
    match opened_device() {
        Ok((cuda, stream)) => all.push(Machine::Device(cuda, stream)),
        Err(e) => require::skip_part("what kernels do on a device", "cuda", &e.to_string()),
    }
    all
}

/// Device 0 and a stream of its own.
pub fn opened_device() -> Result<(Box<Cuda>, Arc<CudaStream>), Error> {
    let cuda = Cuda::new(0)?;
    let stream = cuda.context().new_stream().unwrap();
    Ok((Box::new(cuda), stream))
}

/// A launcher that pretends to another number of busy blocks, and to be no newer than this.
pub struct WithBlocks<'a>(Box<dyn Launch + 'a>, u64, u32);

// SAFETY: passes the call on.
unsafe impl Launch for WithBlocks<'_> {
    fn blocks(&self) -> u64 {
        self.1
    }
    fn capability(&self) -> u32 {
        self.0.capability().min(self.2)
    }
    unsafe fn launch(
        &self,
        kernel: Kernel,
        entry: usize,
        blocks: u32,
        args: *const c_void,
    ) -> Result<(), Error> {
        // SAFETY: the caller's promise is the same.
        unsafe { self.0.launch(kernel, entry, blocks, args) }
    }
}

/// What surrounds every buffer, to find writes beyond it.
const GUARD: usize = 64;
const GUARD_BYTE: u8 = 0xa5;

/// Bytes in a machine's memory, on a 16-byte boundary plus an offset.
pub struct Memory<'m> {
    machine: &'m Machine,
    place: Place,
    start: usize,
    len: usize,
}

enum Place {
    Host(Vec<u128>),
    Device(CudaSlice<u8>),
}

impl Machine {
    pub fn name(&self) -> &'static str {
        match self {
            Machine::Host => "host",
            Machine::Ptx(_) => "interpreter",
            Machine::Device(..) => "device",
        }
    }

    /// The kernels, run by up to `blocks` blocks.
    pub fn raw(&self, blocks: u64) -> Raw<WithBlocks<'_>> {
        self.raw_of(blocks, u32::MAX)
    }

    /// The same on a device of this compute capability or less.
    pub fn raw_of(&self, blocks: u64, capability: u32) -> Raw<WithBlocks<'_>> {
        let launch: Box<dyn Launch + '_> = match self {
            Machine::Host => Box::new(HostTwin::new(blocks).unwrap().0),
            Machine::Ptx(buffers) => Box::new(ptx::Interpreter { buffers, blocks }),
            Machine::Device(cuda, stream) => Box::new(cuda.raw(stream).0),
        };
        Raw(WithBlocks(launch, blocks, capability))
    }

    /// A copy of `values`, `offset` bytes beyond a 16-byte boundary.
    pub fn copy<T: Pod>(&self, values: &[T], offset: usize) -> Memory<'_> {
        let bytes: &[u8] = bytemuck::cast_slice(values);
        let start = GUARD + offset;
        let mut all = vec![GUARD_BYTE; start + bytes.len() + GUARD];
        all[start..][..bytes.len()].copy_from_slice(bytes);
        let place = match self {
            Machine::Host | Machine::Ptx(_) => {
                let mut words = vec![0u128; all.len().div_ceil(16)];
                bytemuck::cast_slice_mut(&mut words)[..all.len()].copy_from_slice(&all);
                Place::Host(words)
            }
            Machine::Device(_, stream) => Place::Device(stream.clone_htod(&all).unwrap()),
        };
        let memory = Memory { machine: self, place, start, len: bytes.len() };
        if let Machine::Ptx(buffers) = self {
            buffers.add(memory.range());
        }
        memory
    }
}

impl Drop for Memory<'_> {
    fn drop(&mut self) {
        if let Machine::Ptx(buffers) = self.machine {
            buffers.remove(&self.range());
        }
    }
}

impl Memory<'_> {
    fn range(&self) -> Range<u64> {
        let start = self.address();
        start..start + self.len as u64
    }

    pub fn address(&self) -> u64 {
        let base = match (&self.place, self.machine) {
            (Place::Host(words), _) => words.as_ptr() as u64,
            (Place::Device(slice), Machine::Device(_, stream)) => slice.device_ptr(stream).0,
            (Place::Device(_), _) => unreachable!("device memory of the host"),
        };
        assert_eq!(base % 16, 0);
        base + self.start as u64
    }

    /// The bytes as they are once all work is done, if nothing around them was touched.
    pub fn read<T: Pod>(&self) -> Vec<T> {
        let all = match (&self.place, self.machine) {
            (Place::Host(words), _) => bytemuck::cast_slice(words).to_vec(),
            (Place::Device(slice), Machine::Device(_, stream)) => stream.clone_dtoh(slice).unwrap(),
            (Place::Device(_), _) => unreachable!("device memory of the host"),
        };
        let (before, rest) = all.split_at(self.start);
        let (bytes, after) = rest.split_at(self.len);
        let guards = before.iter().chain(&after[..GUARD]);
        assert!(guards.copied().all(|b| b == GUARD_BYTE), "written beyond a buffer");
        bytemuck::pod_collect_to_vec(bytes)
    }
}

/// A storage type, with the CPU kernels for it.
pub trait Value: Element + Pod + PartialEq + std::fmt::Debug {
    /// How it is stored, for calls on addresses.
    const STORED: DType;
    fn from_f32(x: f32) -> Self;
    fn to_f32(self) -> f32;
    fn bits(self) -> u32;
    /// The spacing of values at 1.
    fn ulp() -> f32;
    fn activate(kernels: &Kernels, f: &Activation, x: &[Self]) -> Vec<Self>;
    fn swiglu(kernels: &Kernels, gate: &[Self], up: &[Self]) -> Vec<Self>;
}

macro_rules! value {
    ($t:ty, $dtype:ident, $from:expr, $to:expr) => {
        impl Value for $t {
            const STORED: DType = DType::$dtype;
            fn from_f32(x: f32) -> Self {
                $from(x)
            }
            fn to_f32(self) -> f32 {
                $to(self)
            }
            fn bits(self) -> u32 {
                self.to_bits().into()
            }
            fn ulp() -> f32 {
                Self::EPSILON.to_f32()
            }
            fn activate(kernels: &Kernels, f: &Activation, x: &[Self]) -> Vec<Self> {
                let mut y = x.to_vec();
                kernels.activate(f, x, &mut y).unwrap();
                y
            }
            fn swiglu(kernels: &Kernels, gate: &[Self], up: &[Self]) -> Vec<Self> {
                let mut y = gate.to_vec();
                kernels.swiglu([gate, up], &mut y).unwrap();
                y
            }
        }
    };
}

value!(f32, F32, |x| x, |x| x);
value!(bf16, BF16, bf16::from_f32, bf16::to_f32);
value!(f16, F16, f16::from_f32, f16::to_f32);

/// Effective alphas beside the slope at 0 of every model.
pub const fn coefficients(alpha_p: f32, alpha_n: f32) -> Coefficients {
    Coefficients { alpha_p, alpha_n, beta: 0.5, eps: 0.0 }
}

/// The coefficients of a function that has some.
pub fn coefficients_of(f: &Activation) -> Coefficients {
    match *f {
        Activation::Xielu(c) | Activation::Xiprelu(c) => c,
        _ => Coefficients { beta: 0.0, ..coefficients(0.0, 0.0) },
    }
}

/// Functions with scalars from mild to what checkpoints hold at worst.
pub fn functions() -> Vec<Activation> {
    let alphas = [(0.8, 0.8), (0.3, 0.500_000_06), (17.75, 6.3), (166.0, 41.25), (200.0, 50.0)];
    let mut all = vec![Activation::Relu2];
    for (p, n) in alphas {
        all.push(Activation::Xielu(coefficients(p, n)));
        all.push(Activation::Xielu(Coefficients { eps: -1e-6, ..coefficients(p, n) }));
        all.push(Activation::Xiprelu(coefficients(p, n)));
    }
    all
}

pub fn bits<T: Value>(values: &[T]) -> Vec<u32> {
    values.iter().map(|v| v.bits()).collect()
}

/// Fails at the first element whose bits differ.
pub fn same_bits<T: Value>(what: &str, x: &[T], found: &[T], expected: &[T]) {
    assert_eq!(found.len(), expected.len());
    for ((x, a), b) in x.iter().zip(found).zip(expected) {
        assert_eq!(a.bits(), b.bits(), "{what} at {x:?} ({:#x}): {a:?}, expected {b:?}", x.bits());
    }
}

/// Every encoding of a 16-bit type.
pub fn every<T: Value>() -> Vec<T> {
    let all: Vec<u16> = (0..=u16::MAX).collect();
    bytemuck::cast_slice(&all).to_vec()
}

/// Evenly spread bit patterns of f32: every exponent, both signs, infinities and NaNs.
pub fn sweep(stride: u32) -> Vec<f32> {
    let special = [0.0, f32::INFINITY, f32::NAN, f32::MAX, f32::MIN_POSITIVE, 1e-45, -1e-6];
    let spread = (0..=u32::MAX / stride).map(|i| f32::from_bits(i * stride));
    special.into_iter().flat_map(|x| [x, -x]).chain(spread).collect()
}

/// Repeatable values of the normal distribution's shape, most of them negative.
pub fn pre_activations(n: usize, seed: u64) -> Vec<f32> {
    let mut noise = Noise::from_state(seed | 1);
    let mut value = || 2.0 * (noise.unit() + noise.unit() + noise.unit() - 1.5) - 0.7;
    (0..n).map(|_| value()).collect()
}
