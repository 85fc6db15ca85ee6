#!/usr/bin/env python3
"""Makes imatrix.gguf: what llama.cpp's llama-imatrix collects of the bundled model on its text.

    python3 tests/data/imatrix.py LLAMA_IMATRIX

The committed file was made by llama.cpp as in the source package 0.3.36 of llama-cpp-python (PyPI),
on a CPU with AVX-512.
"""
import pathlib, subprocess, sys

here = pathlib.Path(__file__).parent
subprocess.run(
    [
        *[sys.argv[1], "-m", "tests/data/tiny-bf16.gguf", "-f", "models/heldout.txt"],
        *["-o", "tests/data/imatrix.gguf", "-c", "128", "-b", "128", "--chunks", "16", "--no-ppl"],
    ],
    cwd=here.parent.parent,
    check=True,
)
