#!/usr/bin/env python3
"""Makes blocks.bin, blocks of every format that gguf decodes and what their values are, and
encoded.bin, what gguf makes of some values.

    python3 tests/data/blocks.py

Needs gguf and numpy (PyPI). For each format of FORMATS, in this order: blocks, then for each block the
64-bit FNV-1a hash of its values as little-endian f32 (-0 as 0). Blocks are random bytes, enough of
them to reach most points of the lists of IQ1, IQ2 and IQ3, with scales that are normal, subnormal,
zero and negative; those that gguf encodes too begin with four that it made.

encoded.bin: 16 rows of 32 little-endian f32, then their blocks as each of ROUNDED.
"""
import pathlib

import numpy
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType, quants

# Name, blocks, where f16 scales lie.
FORMATS = [
    ("Q4_0", 16, [0]), ("Q8_0", 16, [0]), ("Q4_K", 8, [0, 2]), ("Q5_K", 8, [0, 2]), ("Q6_K", 8, [208]),
    ("Q4_1", 32, [0, 2]), ("Q5_0", 32, [0]), ("Q5_1", 32, [0, 2]), ("Q2_K", 16, [80, 82]),
    ("Q3_K", 16, [108]), ("IQ4_NL", 32, [0]), ("IQ4_XS", 16, [0]), ("MXFP4", 32, []),
    ("NVFP4", 64, []), ("TQ1_0", 16, [52]), ("TQ2_0", 16, [64]), ("IQ1_S", 64, [0]),
    ("IQ1_M", 64, []), ("IQ2_XXS", 16, [0]), ("IQ2_XS", 24, [0]), ("IQ2_S", 48, [0]),
    ("IQ3_XXS", 16, [0]), ("IQ3_S", 24, [0]),
]
ENCODED = ["Q4_0", "Q8_0", "Q4_1", "Q5_0", "Q5_1", "MXFP4", "TQ1_0", "TQ2_0"]

ROUNDED = ["Q4_1", "Q5_0", "Q5_1"]


def halves(random, n):
    """Scales of every kind: the exponent of each fourth is drawn evenly, the rest are moderate."""
    moderate = random.normal(size=n).astype("<f2")
    some = random.integers(0, 0x7C00, n, dtype="<u2") | (random.integers(0, 2, n, dtype="<u2") << 15)
    some[:3] = [0x0001, 0x83FF, 0x0000]
    return numpy.where(numpy.arange(n) % 4 == 1, some, moderate.view("<u2")).astype("<u2")


def hashed(values):
    h = 0xCBF29CE484222325
    for byte in (values.astype("<f4") + numpy.float32(0)).tobytes():
        h = (h ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return h.to_bytes(8, "little")


def make():
    random = numpy.random.default_rng(19)
    out = b""
    for name, count, at in FORMATS:
        kind = GGMLQuantizationType[name]
        length, size = GGML_QUANT_SIZES[kind]
        blocks = random.integers(0, 256, (count, size), dtype=numpy.uint8)
        for offset in at:
            blocks[:, offset : offset + 2] = halves(random, count).view(numpy.uint8).reshape(-1, 2)
        if name == "MXFP4":
            # Exponents, the smallest first, up to the largest whose values are finite.
            blocks[:, 0] = numpy.linspace(0, 251, count).astype(numpy.uint8)
            blocks[1, 0] = 1
        if name == "NVFP4":
            blocks[:, :4] = numpy.arange(256, dtype=numpy.uint8).reshape(count, 4)
        if name == "IQ1_M":
            words = blocks[:, 48:].copy().view("<u2") & 0x0FFF
            scale = halves(random, count)
            for i in range(4):
                words[:, i] |= (scale >> (4 * i) & 15) << 12
            blocks[:, 48:] = words.view(numpy.uint8)
        if name in ENCODED:
            values = random.normal(size=(4, length)).astype(numpy.float32)
            values[1] *= 1e-6
            values[2] = 0
            blocks[:4] = quants.quantize(values, kind)
        with numpy.errstate(all="ignore"):
            decoded = quants.dequantize(blocks, kind)
        assert numpy.isfinite(decoded).all(), name
        out += blocks.tobytes() + b"".join(map(hashed, decoded))
    return out


def encode():
    random = numpy.random.default_rng(20)
    rows = random.normal(size=(16, 32)).astype("<f4")
    rows[1] *= 1e-6  # a subnormal scale
    rows[2] = 0
    rows[3] = -0.75  # no range
    rows[4] += 40  # a minimum far from zero
    rows[5] = numpy.abs(rows[5])
    rows[6, 7] = 900  # an outlier
    rows[7] = numpy.arange(32) - 15.5  # ties
    made = [quants.quantize(rows, GGMLQuantizationType[name]).tobytes() for name in ROUNDED]
    return rows.tobytes() + b"".join(made)


if __name__ == "__main__":
    here = pathlib.Path(__file__)
    here.with_name("blocks.bin").write_bytes(make())
    here.with_name("encoded.bin").write_bytes(encode())
