#!/usr/bin/env python3
"""Makes kernels-simd/src/block/grids/*.bin: the points of the lattices that the formats IQ1, IQ2 and
IQ3 choose from, which are constants of these formats, as little-endian 16-bit numbers.

    python3 tests/data/iq_grids.py

A point of eight values takes 2 bits a value, one of four values 3 bits, the first value lowest: the
position of the value among the format's levels, smallest first. Needs gguf (PyPI), from whose
decoders the points are read.
"""
import pathlib

import numpy
from gguf import quants

OUT = pathlib.Path(__file__).parents[2] / "kernels-simd/src/block/grids"

for name in ["IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ3_XXS", "IQ3_S", "IQ1_S"]:
    format = getattr(quants, name)
    format.init_grid()
    points = format.grid.reshape(format.grid_shape)
    bits = 2 if points.shape[1] == 8 else 3
    places = numpy.searchsorted(numpy.array(format.grid_map, dtype=numpy.float32), points)
    packed = (places << (bits * numpy.arange(points.shape[1]))).sum(axis=1).astype("<u2")
    OUT.joinpath(name.lower() + ".bin").write_bytes(packed.tobytes())
