#!/usr/bin/env python3
"""Makes encoders.bin: what ggml's quantizers make of the rows of k_quants.bin, without and with an
importance matrix (quantize_*(src, dst, 1, n, weights)).

    python3 tests/data/encoders.py GGML_SOURCE_DIR [--many N OUT]

GGML_SOURCE_DIR and the build are those of k_quants.py, which lies beside this. --many writes N further
random rows to OUT.

The file: PATTERNS rows of 256 little-endian f32, the weights of importance matrices; then for each
row of k_quants.bin (with --many, after the row itself) the 64-bit FNV-1a hash of its blocks in each
type of PLAIN, then of those in each type of WEIGHTED with weights number `row % PATTERNS`; then for
each two rows, taken as one row of 512 with the weights of both, those of each type of WEIGHTED. 0
stands for blocks with a scale that is not finite; blocks of MXFP4 whose exponent C does not define
are left out.

The committed file was made by gcc for x86-64, which has no fused multiply-adds unless it is told to
use them. gcc for aarch64 fuses by itself, and a ggml built so differs in some blocks.
"""
import ctypes, pathlib, random, struct, sys, tempfile

import k_quants

HERE = pathlib.Path(__file__).parent
# Values and bytes of a block, where f16 scales lie.
LAYOUT = {
    "q4_0": (32, 18, [0]), "q4_1": (32, 20, [0, 2]), "q5_0": (32, 22, [0]), "q5_1": (32, 24, [0, 2]),
    "q2_K": (256, 84, [80, 82]), "q3_K": (256, 110, [108]), "q4_K": (256, 144, [0, 2]),
    "q5_K": (256, 176, [0, 2]), "q6_K": (256, 210, [208]), "iq4_nl": (32, 18, [0]),
    "iq4_xs": (256, 136, [0]), "mxfp4": (32, 17, []),
}
PLAIN = ["q2_K", "q3_K", "iq4_nl", "iq4_xs", "mxfp4"]
WEIGHTED = [
    "q4_0", "q4_1", "q5_0", "q5_1", "q2_K", "q3_K", "q4_K", "q5_K", "q6_K", "iq4_nl", "iq4_xs",
]
PATTERNS = 7


def patterns(source):
    """Mean squares of activations, and what could pass for them."""
    yield [1.0] * 256
    yield [source.lognormvariate(0, 1) for _ in range(256)]
    yield [source.lognormvariate(-8, 3) for _ in range(256)]
    yield [source.lognormvariate(0, 1) * (source.random() < 0.5) for _ in range(256)]
    yield [float(i // 16 % 2) for i in range(256)]
    yield [0.0] * 256
    yield [1e6 if i % 50 == 3 else source.random() for i in range(256)]


def hashed(data):
    h = 0xCBF29CE484222325
    for byte in data:
        h = (h ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return h


def encode(library, name, values, weights):
    length, size, scales = LAYOUT[name]
    n = len(values)
    out = ctypes.create_string_buffer(n // length * size)
    source = (ctypes.c_float * n)(*values)
    given = (ctypes.c_float * n)(*weights) if weights else None
    getattr(library, "quantize_" + name)(source, out, ctypes.c_int64(1), ctypes.c_int64(n), given)
    made = b""
    for i in range(n // length):
        block = out.raw[i * size : (i + 1) * size]
        if any(struct.unpack_from("<H", block, at)[0] & 0x7C00 == 0x7C00 for at in scales):
            return 0
        if name == "mxfp4" and 0 < max(map(abs, source[i * length : (i + 1) * length])) < 2**-125:
            block = b""
        made += block
    return hashed(made)


def write(path, library, weights, rows, with_rows):
    weights = [[struct.unpack("<f", struct.pack("<f", w))[0] for w in row] for row in weights]
    with open(path, "wb") as file:
        for row in weights:
            file.write(struct.pack("<256f", *row))
        for i, row in enumerate(rows):
            if with_rows:
                file.write(struct.pack("<256f", *row))
            hashes = [encode(library, name, row, None) for name in PLAIN]
            hashes += [encode(library, name, row, weights[i % PATTERNS]) for name in WEIGHTED]
            file.write(struct.pack(f"<{len(hashes)}Q", *hashes))
        for i in range(0, len(rows) - 1, 2):
            both = weights[i % PATTERNS] + weights[(i + 1) % PATTERNS]
            hashes = [encode(library, name, rows[i] + rows[i + 1], both) for name in WEIGHTED]
            file.write(struct.pack(f"<{len(hashes)}Q", *hashes))


def main():
    ggml = pathlib.Path(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder:
        library = k_quants.build(ggml, pathlib.Path(folder))
        if sys.argv[2:3] == ["--many"]:
            source = random.Random()
            rows = list(k_quants.random_rows(source, int(sys.argv[3])))
            return write(sys.argv[4], library, list(patterns(source)), rows, True)
        data = (HERE / "k_quants.bin").read_bytes()
        size = 1024 + sum(size for _, size in k_quants.TYPES)
        rows = [list(struct.unpack_from("<256f", data, at)) for at in range(0, len(data), size)]
        write(HERE / "encoders.bin", library, list(patterns(random.Random(2))), rows, False)
        print(len(rows), "rows")


if __name__ == "__main__":
    main()
