//! Products with weights of every format: the CPU's, and those of f64 on the same quants.

use crate::support::ptx::Buffers;
use crate::support::*;
use xielu::kernels::{Blocks, DType, Input, InputBlock, Kernels, Matrix, Output, Shape};
use xielu_kernels_cuda::{DeviceMatrix, Error, Forms, Inputs, InputsAt, Prepare, WeightsAt};
use xielu_testing::kernels::unrounded_kernel;
use xielu_testing::noise::Noise;

/// Stored blocks with values of a sensible size: bytes as they come, but for the blocks whose
/// scales leave larger or smaller ones.
pub fn stored(dtype: DType, shape: Shape, seed: u64) -> Vec<u8> {
    let mut noise = Noise::from_state(seed | 1);
    let (len, bytes) = (dtype.block_len(), dtype.block_bytes());
    let mut data = vec![0u8; dtype.row_bytes(shape.cols).unwrap() * shape.rows];
    let mut values = vec![0.0f32; len];
    for block in data.chunks_mut(bytes) {
        loop {
            block.fill_with(|| (noise.unit() * 256.0) as u8);
            assert!(Blocks::new(dtype, block).unwrap().dequantize(&mut values));
            let largest =
                values.iter().fold(0.0f32, |m, v| if v.is_nan() { *v } else { m.max(v.abs()) });
            if (0.02..4.0).contains(&largest) {
                break;
            }
        }
    }
    data
}

/// A product on a machine: `[tokens, rows]`, added to `before` if there is some.
struct Product<'a> {
    dtype: DType,
    shape: Shape,
    stored: &'a [u8],
    x: &'a [f32],
    tokens: usize,
    before: Option<f32>,
    /// Rows that are repacked at once.
    rows_at_once: usize,
    /// The device is of no higher compute capability.
    capability: u32,
}

impl Product<'_> {
    /// The weights as they lie on the device.
    fn weights<'m>(&self, machine: &'m Machine) -> Memory<'m> {
        let Product { dtype, shape, stored, .. } = *self;
        let at = |address| self.at(address);
        let bytes = at(0).bytes().unwrap() as usize;
        assert_eq!(DeviceMatrix::bytes_for(dtype, shape.rows, shape.cols), Some(bytes));
        let row = stored.len() / shape.rows;
        if !dtype.is_quantized() {
            let stride = bytes / shape.rows;
            let mut padded = vec![0u8; bytes];
            for (to, from) in padded.chunks_mut(stride).zip(stored.chunks(row)) {
                to[..row].copy_from_slice(from);
            }
            return machine.copy(&padded, 0);
        }
        let memory = machine.copy(&vec![0xffu8; bytes], 0);
        for (i, rows) in stored.chunks(self.rows_at_once * row).enumerate() {
            let staged = staged(dtype, rows, row);
            let from = machine.copy(&staged, 2);
            let (first, count) = ((i * self.rows_at_once) as u64, (rows.len() / row) as u64);
            // SAFETY: the buffers hold what they must and outlive `read`, which waits.
            unsafe { machine.raw(2).repack(&at(memory.address()), from.address(), first, count) }
                .unwrap();
            from.read::<u8>();
        }
        memory
    }

    fn at(&self, address: u64) -> WeightsAt {
        let Shape { rows, cols } = self.shape;
        WeightsAt { address, dtype: self.dtype, rows: rows as u64, cols: cols as u64 }
    }

    fn run(&self, machine: &Machine, w: &Memory<'_>) -> Vec<f32> {
        let Product { shape, x, tokens, before, .. } = *self;
        let padded = shape.cols.next_multiple_of(256) * tokens;
        let quants = machine.copy(&vec![0x55u8; padded], 0);
        let groups = machine.copy(&vec![u64::MAX; padded / 32], 0);
        let values = machine.copy(&vec![f32::NAN; padded], 0);
        let quantized = self.dtype.is_quantized();
        let to = InputsAt {
            quants: if quantized { quants.address() } else { 0 },
            groups: if quantized { groups.address() } else { 0 },
            values: if quantized { 0 } else { values.address() },
            tokens: tokens as u64,
            cols: shape.cols as u64,
        };
        let x = machine.copy(x, 0);
        let y = machine.copy(&vec![before.unwrap_or(f32::NAN); shape.rows * tokens], 4);
        let (raw, n) = (machine.raw_of(3, self.capability), tokens as u64);
        // SAFETY: the buffers hold what they must and outlive `read`, which waits.
        unsafe {
            raw.quantize(Prepare::AsIs, x.address(), n, &to).unwrap();
            raw.matmul(&self.at(w.address()), &to, n, y.address(), before.is_some()).unwrap();
        }
        y.read()
    }

    /// By the CPU's kernels.
    fn cpu(&self) -> Vec<f32> {
        let Product { dtype, shape, stored, x, tokens, before, .. } = *self;
        let cpu = unrounded_kernel();
        let w = Matrix::new(dtype, shape, stored).unwrap();
        let mut y = vec![before.unwrap_or(0.0); shape.rows * tokens];
        let out = Output::new(&mut y, shape.rows).unwrap();
        let blocks = self.inputs();
        let input = if dtype.is_quantized() { Input::Quantized(&blocks) } else { Input::F32(x) };
        cpu.matmul_add(&w, input, out).unwrap();
        y
    }

    fn inputs(&self) -> Vec<InputBlock> {
        let cols = self.shape.cols;
        let mut blocks = vec![InputBlock::ZERO; InputBlock::per_row(cols) * self.tokens];
        if self.dtype.is_quantized() {
            Kernels::detect().quantize_input(self.x, cols, &mut blocks).unwrap();
        }
        blocks
    }

    /// In f64, with the sums of the terms' magnitudes.
    fn exact(&self) -> Vec<(f64, f64)> {
        let Product { dtype, shape, stored, x, before, .. } = *self;
        let blocks = self.inputs();
        let per_row = InputBlock::per_row(shape.cols);
        let mut all = Vec::new();
        for token in 0..self.tokens {
            let x: Vec<f32> = if dtype.is_quantized() {
                blocks[token * per_row..][..per_row].iter().flat_map(|b| b.dequantize()).collect()
            } else {
                x[token * shape.cols..][..shape.cols].to_vec()
            };
            for row in stored.chunks(stored.len() / shape.rows) {
                let mut w = vec![0.0f32; shape.cols];
                assert!(Blocks::new(dtype, row).unwrap().dequantize(&mut w));
                let terms = w.iter().zip(&x).map(|(&w, &x)| f64::from(w) * f64::from(x));
                let start = f64::from(before.unwrap_or(0.0));
                all.push(terms.fold((start, start.abs()), |(s, m), t| (s + t, m + t.abs())));
            }
        }
        all
    }
}

/// Rows as the repacking kernels take them.
fn staged(dtype: DType, rows: &[u8], row: usize) -> Vec<u8> {
    let own = [
        DType::Q8_0,
        DType::Q8_1,
        DType::Q4_0,
        DType::Q4_1,
        DType::Q5_0,
        DType::Q5_1,
        DType::Q4_K,
        DType::Q5_K,
        DType::Q6_K,
    ];
    if own.contains(&dtype) {
        return rows.to_vec();
    }
    let mut out = Vec::new();
    for row in rows.chunks(row) {
        let blocks = Blocks::new(dtype, row).unwrap();
        let cols = row.len() / dtype.block_bytes() * dtype.block_len();
        for block in (0..cols.div_ceil(256)).map(|i| blocks.bytes_of(i).unwrap()) {
            out.extend(block.quants.map(i8::cast_unsigned));
            out.extend(block.scales.iter().chain(&block.mins).flat_map(|v| v.to_le_bytes()));
        }
    }
    out
}

/// Rows and columns that fill tiles and that do not; a format's blocks allow some of the columns.
fn shapes(dtype: DType) -> Vec<Shape> {
    let all = [
        (1, 32),
        (16, 256),
        (37, 96),
        (33, 544),
        (20, 1088),
        (130, 512),
        (17, 4352),
        (3, 8),
        (5, 13),
        (9, 1000),
    ];
    let fits = |&(_, cols): &(usize, usize)| cols % dtype.block_len() == 0;
    all.into_iter().filter(fits).map(|(rows, cols)| Shape { rows, cols }).collect()
}

fn check(machine: &Machine, capability: u32, dtype: DType, shape: Shape, tokens: &[usize]) {
    let stored = stored(dtype, shape, 3);
    let most = *tokens.iter().max().unwrap();
    let x = pre_activations(most * shape.cols, 5);
    let product = |tokens, before| Product {
        dtype,
        shape,
        stored: &stored,
        x: &x[..tokens * shape.cols],
        tokens,
        before,
        rows_at_once: 32,
        capability,
    };
    let w = product(1, None).weights(machine);
    let on_host = product(1, None).weights(&Machine::Host);
    assert!(
        w.read::<u8>() == on_host.read::<u8>(),
        "{dtype} {shape:?}: other bytes than the twin's"
    );
    // Of the classes of kernels that multiply several tokens.
    let mut classes = [const { Vec::<f32>::new() }; 2];
    for &tokens in tokens {
        // Odd numbers of tokens are added to what is there.
        let before = [None, Some(0.75)][tokens % 2];
        let p = product(tokens, before);
        let found = p.run(machine, &w);
        if !matches!(machine, Machine::Host) {
            let twin = p.run(&Machine::Host, &on_host);
            assert_eq!(bits(&found), bits(&twin), "{dtype} {shape:?} {tokens}: the twin's bits");
        }
        let truth = found.iter().zip(p.exact()).zip(p.cpu());
        for (i, ((&found, (exact, magnitude)), cpu)) in truth.enumerate() {
            let place = (i / shape.rows, i % shape.rows);
            let off = (f64::from(found) - exact).abs() / magnitude;
            assert!(off <= 5e-7, "{dtype} {shape:?} {tokens}, {place:?}: {found}, exactly {exact}");
            let off = (f64::from(found) - f64::from(cpu)).abs() / magnitude;
            assert!(off <= 1e-6, "{dtype} {shape:?} {tokens}, {place:?}: {found}, CPU {cpu}");
        }
        let several = &mut classes[usize::from(tokens > 32)];
        if tokens > 1 {
            // However many there are, a token's sums have the same bits.
            let found =
                if before.is_some() { product(tokens, None).run(machine, &w) } else { found };
            let n = several.len().min(found.len());
            assert_eq!(bits(&several[..n]), bits(&found[..n]), "{dtype} {shape:?} {tokens}");
            if found.len() > several.len() {
                *several = found;
            }
        }
    }
}

/// As many as there are kernels, and between.
const TOKENS: &[usize] = &[1, 2, 5, 8, 11, 16, 21, 40, 67];

#[test]
fn every_format() {
    for machine in machines() {
        for dtype in DType::ALL {
            for (i, shape) in shapes(dtype).into_iter().enumerate() {
                let tokens = if i == 1 { TOKENS } else { &[1, 3, 35] };
                check(&machine, u32::MAX, dtype, shape, tokens);
            }
        }
    }
}

/// Without tensor cores that multiply bytes.
#[test]
fn every_format_on_the_oldest_devices() {
    for machine in machines() {
        for dtype in DType::ALL {
            for shape in shapes(dtype) {
                check(&machine, 75, dtype, shape, &[2, 5]);
            }
        }
    }
}

#[test]
fn every_format_interpreted() {
    let machine = Machine::Ptx(Buffers::default());
    for dtype in DType::ALL {
        let cols = dtype.block_len().max(32);
        check(&machine, u32::MAX, dtype, Shape { rows: 19, cols }, &[1, 2]);
    }
    for dtype in [DType::Q8_0, DType::Q5_0, DType::Q4_1, DType::Q4_K, DType::Q6_K, DType::MXFP4] {
        let shape = Shape { rows: 19, cols: 768 };
        check(&machine, u32::MAX, dtype, shape, &[1, 3, 10, 35]);
        check(&machine, 75, dtype, shape, &[3]);
    }
    for dtype in [DType::F32, DType::F16, DType::BF16] {
        check(&machine, u32::MAX, dtype, Shape { rows: 5, cols: 600 }, &[1, 2, 3, 5]);
    }
}

/// The repacked form takes the stored bytes, where rows and columns fill tiles.
#[test]
fn memory_is_that_of_the_file() {
    for dtype in DType::ALL {
        let (rows, cols) = (64, 1024);
        let file = dtype.row_bytes(cols).unwrap() * rows;
        let found = DeviceMatrix::bytes_for(dtype, rows, cols).unwrap();
        let per_weight = found as f64 / (rows * cols) as f64;
        match dtype {
            DType::Q8_1 => {
                assert_eq!(found, DeviceMatrix::bytes_for(DType::Q8_0, rows, cols).unwrap())
            }
            _ if found == file => {}
            _ => assert_eq!(per_weight, 1.5, "{dtype}"),
        }
        assert!(DeviceMatrix::upload_bytes(dtype, rows, cols).unwrap() <= file.max(found));
    }
    assert_eq!(DeviceMatrix::bytes_for(DType::F32, usize::MAX, usize::MAX), None);
}

#[test]
fn what_does_not_fit_is_refused() {
    for machine in machines() {
        let w = machine.copy(&[0u8; 1024], 0);
        let quants = machine.copy(&[0u8; 256], 0);
        let groups = machine.copy(&[0u64; 8], 0);
        let y = machine.copy(&[0.0f32; 16], 0);
        let at = |cols| WeightsAt { address: w.address(), dtype: DType::Q8_0, rows: 16, cols };
        let x = InputsAt {
            quants: quants.address(),
            groups: groups.address(),
            values: 0,
            tokens: 1,
            cols: 32,
        };
        let call = |w, x, tokens, y| {
            // SAFETY: the buffers hold one token, which is the most that is not refused.
            unsafe { machine.raw(1).matmul(&w, &x, tokens, y, false) }
        };
        // SAFETY: nothing but the address is looked at.
        let repack = unsafe { machine.raw(1).repack(&at(32), quants.address(), 8, 8) };
        let error = Error::Length { what: "the first row", expected: 16, found: 8 };
        assert_eq!(repack, Err(error));
        let error = Error::Length { what: "a row of the inputs", expected: 64, found: 32 };
        assert_eq!(call(at(64), x, 1, y.address()), Err(error));
        let error = Error::Length { what: "the inputs' tokens", expected: 1, found: 2 };
        assert_eq!(call(at(32), x, 2, y.address()), Err(error));
        let floats = WeightsAt { dtype: DType::F16, ..at(32) };
        assert_eq!(call(floats, x, 1, y.address()), Err(Error::InputForm(DType::F16)));
        assert_eq!(call(at(32), x, 1, w.address()), Err(Error::Overlap("y")));
        assert_eq!(call(at(32), x, 1, 0), Err(Error::Null("y")));
    }
}

/// A matrix from a file, on slices.
#[test]
fn on_slices() {
    let Some((cuda, stream)) = crate::device::device() else { return };
    let on = cuda.on(&stream).unwrap();
    let shape = Shape { rows: 70, cols: 768 };
    for dtype in [DType::Q4_K, DType::Q8_1, DType::IQ3_S, DType::BF16, DType::Q5_1] {
        let stored = stored(dtype, shape, 1);
        let x = pre_activations(3 * shape.cols, 2);
        let product = Product {
            dtype,
            shape,
            stored: &stored,
            x: &x,
            tokens: 3,
            before: None,
            rows_at_once: 32,
            capability: u32::MAX,
        };
        let matrix = Matrix::new(dtype, shape, &stored).unwrap();
        let w = DeviceMatrix::upload(&on, &matrix).unwrap();
        assert_eq!((w.dtype(), w.rows(), w.cols()), (dtype, 70, 768));
        let forms = Forms::of(dtype);
        let mut inputs = Inputs::new(&stream, 4, shape.cols, forms).unwrap();
        let x = stream.clone_htod(&x).unwrap();
        on.quantize(&x, 3, &mut inputs).unwrap();
        let mut y = stream.alloc_zeros::<f32>(3 * shape.rows).unwrap();
        on.matmul(&w, &inputs, 3, &mut y, false).unwrap();
        let found = stream.clone_dtoh(&y).unwrap();
        for (&found, (exact, magnitude)) in found.iter().zip(product.exact()) {
            assert!((f64::from(found) - exact).abs() <= 5e-7 * magnitude, "{dtype}");
        }
        let error = on.matmul(&w, &inputs, 2, &mut y, false);
        assert_eq!(error, Err(Error::Length { what: "y", expected: 140, found: 210 }));
        let columns = matrix.columns(0..dtype.block_len()).unwrap();
        assert_eq!(DeviceMatrix::upload(&on, &columns).map(drop), Err(Error::NotWhole));
    }
}
