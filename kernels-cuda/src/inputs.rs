//! The inputs of products on the device: rows of tokens, quantized for quantized weights, f32 for
//! float weights.

use cudarc::driver::{CudaSlice, CudaStream, DevicePtr, DevicePtrMut, SyncOnDrop};
use xielu_kernels_simd::{self as cpu, ActivationKind};

use crate::raw::{apart, buffer, checked};
use crate::{DType, Error, Kernel, Launch, OnStream, Raw, Scalars, Scaled, args};

/// Values of a group with one scale, `GROUP` in `cuda/inputs.cuh`.
const GROUP: u64 = 32;
/// A row is padded to a multiple of this, `ROW` in `cuda/inputs.cuh`.
const ROW: u64 = 256;
/// Groups that a block takes at a time.
const GROUPS_A_BLOCK: u64 = 8;

/// Which forms of the inputs are kept: what the weights that they meet need.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Forms {
    /// int8 in groups of 32 with their scales and sums, for quantized weights.
    pub quantized: bool,
    /// f32, for float weights.
    pub floats: bool,
}

impl Forms {
    /// What weights of this type need.
    pub const fn of(weights: cpu::DType) -> Forms {
        Forms { quantized: weights.is_quantized(), floats: !weights.is_quantized() }
    }

    /// What both need.
    #[must_use]
    pub const fn and(self, other: Forms) -> Forms {
        Forms { quantized: self.quantized || other.quantized, floats: self.floats || other.floats }
    }
}

/// Values of a row as it is kept, padded with zeros.
pub(crate) const fn padded(cols: u64) -> Option<u64> {
    cols.checked_next_multiple_of(ROW)
}

/// The inputs of products for up to a number of tokens. The quantized form has the CPU's bits:
/// for each 32 values `d = max|x| / 127` in f32 and `x / d` rounded half away from zero.
#[derive(Debug)]
pub struct Inputs {
    tokens: usize,
    cols: usize,
    quants: Option<CudaSlice<u8>>,
    groups: Option<CudaSlice<u64>>,
    values: Option<CudaSlice<f32>>,
}

impl Inputs {
    /// Room for `tokens` rows of `cols` values.
    ///
    /// # Errors
    /// If they are more than addresses count, or the device has too little memory.
    pub fn new(
        stream: &std::sync::Arc<CudaStream>,
        tokens: usize,
        cols: usize,
        forms: Forms,
    ) -> Result<Inputs, Error> {
        let doing = Error::driver("allocating the inputs of a product");
        let too_large = || Error::TooLarge(cols as u64);
        let row = padded(cols as u64).ok_or_else(too_large)?;
        let len = row.checked_mul(tokens as u64).and_then(|n| usize::try_from(n).ok());
        let len = len.ok_or_else(too_large)?;
        let some = |wanted: bool, n: usize| wanted.then_some(n);
        let groups = some(forms.quantized, len / GROUP as usize);
        Ok(Inputs {
            tokens,
            cols,
            quants: some(forms.quantized, len)
                .map(|n| stream.alloc_zeros(n))
                .transpose()
                .map_err(&doing)?,
            groups: groups.map(|n| stream.alloc_zeros(n)).transpose().map_err(&doing)?,
            values: some(forms.floats, len)
                .map(|n| stream.alloc_zeros(n))
                .transpose()
                .map_err(&doing)?,
        })
    }

    /// Bytes that [`Inputs::new`] takes on the device; `None` if addresses do not count them.
    pub fn bytes_for(tokens: usize, cols: usize, forms: Forms) -> Option<usize> {
        let len = padded(cols as u64)?.checked_mul(tokens as u64)?;
        let quantized = if forms.quantized { len.checked_add(len / GROUP * 8)? } else { 0 };
        let floats = if forms.floats { len.checked_mul(4)? } else { 0 };
        usize::try_from(quantized.checked_add(floats)?).ok()
    }

    /// The most tokens there is room for.
    pub fn tokens(&self) -> usize {
        self.tokens
    }

    /// Values of a token.
    pub fn cols(&self) -> usize {
        self.cols
    }

    /// Which forms are kept.
    pub fn forms(&self) -> Forms {
        Forms { quantized: self.quants.is_some(), floats: self.values.is_some() }
    }

    /// Where they are, for reading; the guards order what is queued meanwhile.
    pub(crate) fn read<'a>(
        &'a self,
        stream: &'a CudaStream,
    ) -> (InputsAt, [Option<SyncOnDrop<'a>>; 3]) {
        let (quants, a) = self.quants.as_ref().map(|s| s.device_ptr(stream)).unzip();
        let (groups, b) = self.groups.as_ref().map(|s| s.device_ptr(stream)).unzip();
        let (values, c) = self.values.as_ref().map(|s| s.device_ptr(stream)).unzip();
        (InputsAt::of([quants, groups, values], self.tokens, self.cols), [a, b, c])
    }

    /// Where they are, for writing; the guards order what is queued
    /// meanwhile.
    pub(crate) fn write<'a>(
        &'a mut self,
        stream: &'a CudaStream,
    ) -> (InputsAt, [Option<SyncOnDrop<'a>>; 3]) {
        let (tokens, cols) = (self.tokens, self.cols);
        let (quants, a) = self.quants.as_mut().map(|s| s.device_ptr_mut(stream)).unzip();
        let (groups, b) = self.groups.as_mut().map(|s| s.device_ptr_mut(stream)).unzip();
        let (values, c) = self.values.as_mut().map(|s| s.device_ptr_mut(stream)).unzip();
        (InputsAt::of([quants, groups, values], tokens, cols), [a, b, c])
    }
}

/// Addresses of the inputs of a product, all on 16-byte boundaries; 0 for a form that is not
/// kept (`quants` and `groups` are one).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InputsAt {
    /// `[tokens, cols up to a multiple of 256]` quants of a byte, in the order of
    /// `cuda/inputs.cuh`.
    pub quants: u64,
    /// 8 bytes for each 32 quants: the scale in f32 and the sums of both halves in 16 bits.
    pub groups: u64,
    /// `[tokens, cols up to a multiple of 256]` f32 values.
    pub values: u64,
    /// Rows there is room for.
    pub tokens: u64,
    /// Values of a row.
    pub cols: u64,
}

impl InputsAt {
    fn of([quants, groups, values]: [Option<u64>; 3], tokens: usize, cols: usize) -> InputsAt {
        let at = |address: Option<u64>| address.unwrap_or(0);
        let (quants, groups, values) = (at(quants), at(groups), at(values));
        InputsAt { quants, groups, values, tokens: tokens as u64, cols: cols as u64 }
    }

    /// As kernels take them.
    pub(crate) fn arg(&self) -> Result<args::Inputs, Error> {
        let stride = padded(self.cols).ok_or(Error::TooLarge(self.cols))?;
        let InputsAt { quants, groups, values, .. } = *self;
        Ok(args::Inputs { quants, groups, values, stride })
    }

    /// Checks the addresses, and that they are apart from another buffer of `n` f32.
    pub(crate) fn check(&self, tokens: u64) -> Result<Vec<crate::raw::Buffer>, Error> {
        if tokens > self.tokens {
            let (what, expected) = ("the inputs' tokens", self.tokens);
            return Err(Error::Length { what, expected, found: tokens });
        }
        let row = padded(self.cols).ok_or(Error::TooLarge(self.cols))?;
        let n = row.checked_mul(tokens).ok_or(Error::TooLarge(row))?;
        let mut all = Vec::new();
        if self.quants != 0 || self.groups != 0 {
            all.push(buffer("the inputs' quants", self.quants, n, 1, 16)?);
            all.push(buffer("the inputs' groups", self.groups, n / GROUP, 8, 16)?);
        }
        if self.values != 0 {
            all.push(buffer("the inputs' values", self.values, n, 4, 16)?);
        }
        Ok(all)
    }
}

/// What is done to values on their way to inputs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Prepare {
    /// Nothing.
    AsIs,
    /// A function of each value.
    Activate(ActivationKind, Scalars),
    /// `silu(gate) * x`, with the address of the gate's values.
    Swiglu(u64),
}

impl Prepare {
    /// The entry point of `quantize.cu`, its scalars and the address of the gate.
    fn parts(self) -> Result<(usize, Scalars, u64), Error> {
        Ok(match self {
            Prepare::AsIs => (0, Scalars::NONE, 0),
            Prepare::Activate(kind, scalars) => {
                let entry = match kind {
                    ActivationKind::Xielu => 1,
                    ActivationKind::Xiprelu => 2,
                    ActivationKind::Relu2 => 3,
                    other => return Err(Error::NoKernel(other)),
                };
                (entry, checked(scalars)?, 0)
            }
            Prepare::Swiglu(gate) => (4, Scalars::NONE, gate),
        })
    }
}

impl<L: Launch> Raw<L> {
    /// Makes inputs of `tokens` rows of `to.cols` f32 values at `x`, activated on the way if asked.
    ///
    /// # Errors
    /// If an address is null, misaligned or overlaps, there is room for fewer tokens, there is no
    /// kernel of the function, or the launch fails.
    ///
    /// # Safety
    /// See [`Raw`].
    pub unsafe fn quantize(
        &self,
        prepare: Prepare,
        x: u64,
        tokens: u64,
        to: &InputsAt,
    ) -> Result<(), Error> {
        let (entry, scalars, gate) = prepare.parts()?;
        let outputs = to.check(tokens)?;
        let n = to.cols.checked_mul(tokens).ok_or(Error::TooLarge(to.cols))?;
        if n == 0 {
            return Ok(());
        }
        let size = DType::F32.size();
        let mut inputs = vec![buffer("x", x, n, size, size)?];
        if let Prepare::Swiglu(gate) = prepare {
            inputs.push(buffer("gate", gate, n, size, size)?);
        }
        for &out in &outputs {
            inputs.iter().try_for_each(|&input| apart(out, input, false))?;
        }
        let arg = to.arg()?;
        let groups = arg.stride / GROUP * tokens;
        let args =
            args::Quantize { x, gate, to: arg, cols: to.cols, tokens, scalars: scalars.into() };
        // SAFETY: the struct is this kernel's; the caller vouches for the addresses.
        unsafe { self.run(Kernel::Quantize, entry, groups.div_ceil(GROUPS_A_BLOCK), &args) }
    }
}

impl OnStream<'_> {
    /// Makes inputs of `tokens` rows of f32 values.
    ///
    /// # Errors
    /// If there is room for fewer tokens, lengths or contexts differ, or the launch fails; nothing
    /// is written then.
    pub fn quantize(
        &self,
        x: &dyn DevicePtr<f32>,
        tokens: usize,
        inputs: &mut Inputs,
    ) -> Result<(), Error> {
        self.prepare(Prepare::AsIs, x, tokens, inputs)
    }

    /// Makes inputs of `f(x)`.
    ///
    /// # Errors
    /// If there is no kernel of the function, or as [`OnStream::quantize`].
    pub fn activate(
        &self,
        f: &impl Scaled,
        x: &dyn DevicePtr<f32>,
        tokens: usize,
        inputs: &mut Inputs,
    ) -> Result<(), Error> {
        self.scalars_of(f)?;
        let (scalars, _scalars) = f.scalars(self.stream());
        self.prepare(Prepare::Activate(f.kind(), scalars), x, tokens, inputs)
    }

    /// Makes inputs of `silu(gate) * up`.
    ///
    /// # Errors
    /// As [`OnStream::quantize`].
    pub fn activate_swiglu(
        &self,
        [gate, up]: [&dyn DevicePtr<f32>; 2],
        tokens: usize,
        inputs: &mut Inputs,
    ) -> Result<(), Error> {
        self.operand("gate", tokens * inputs.cols, gate)?;
        let (gate, _gate) = gate.device_ptr(self.stream());
        self.prepare(Prepare::Swiglu(gate), up, tokens, inputs)
    }

    fn prepare(
        &self,
        prepare: Prepare,
        x: &dyn DevicePtr<f32>,
        tokens: usize,
        inputs: &mut Inputs,
    ) -> Result<(), Error> {
        self.operand("x", tokens.saturating_mul(inputs.cols), x)?;
        self.inputs_of("the inputs", inputs)?;
        let (x, _x) = x.device_ptr(self.stream());
        let (to, _to) = inputs.write(self.stream());
        // SAFETY: the slices are of this context and hold what `to` says (`Inputs::new` made
        // them); `x` holds `tokens * cols` values (checked above), and so does a gate (checked by
        // the caller); the guards order this work after what was queued on them.
        unsafe { self.raw().quantize(prepare, x, tokens as u64, &to) }
    }

    /// Refuses inputs of another context.
    pub(crate) fn inputs_of(&self, what: &'static str, inputs: &Inputs) -> Result<(), Error> {
        match (&inputs.quants, &inputs.values) {
            (Some(slice), _) => self.operand(what, slice.len(), slice),
            (None, Some(slice)) => self.operand(what, slice.len(), slice),
            (None, None) => Ok(()),
        }
    }
}
