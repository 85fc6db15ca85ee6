#!/usr/bin/env python3
"""Makes k_quants.bin: rows of 256 values and the blocks that ggml's reference quantizer makes of
them, without importance matrix (quantize_row_{q4,q5,q6}_K_ref).

    python3 tests/data/k_quants.py GGML_SOURCE_DIR [--many N OUT]

GGML_SOURCE_DIR is `vendor/llama.cpp/ggml` of the source package of llama-cpp-python on PyPI
(the committed file was made from 0.3.36). Its ggml-quants.c is built with plain gcc -O2: no
-march, no -ffast-math, so no fused multiply-adds. --many writes N further random rows to OUT.

Every record of the file: 256 little-endian f32, then one block of Q4_K (144 bytes), Q5_K (176)
and Q6_K (210).
"""
import ctypes, json, math, pathlib, random, struct, subprocess, sys, tempfile

HERE = pathlib.Path(__file__).parent
TYPES = [("q4_K", 144), ("q5_K", 176), ("q6_K", 210)]
# What the rest of ggml-quants.c refers to and these three functions never call.
STUBS = """
#include <stdlib.h>
void ggml_abort(const char * file, int line, const char * text, ...) { abort(); }
size_t ggml_row_size(void) { return 0; } // from one row to the next: there is one
void ggml_type_name(void) { abort(); }
void ggml_type_size(void) { abort(); }
"""


def build(ggml, folder):
    stubs, library = folder / "stubs.c", folder / "quants.so"
    stubs.write_text(STUBS)
    flags = ["-O2", "-DNDEBUG", "-D_GNU_SOURCE", "-fPIC", "-shared", "-w"]
    includes = [f"-I{ggml}/include", f"-I{ggml}/src"]
    sources = [f"{ggml}/src/ggml-quants.c", stubs]
    subprocess.run(["gcc", *flags, *includes, "-o", library, *sources, "-lm"], check=True)
    return ctypes.CDLL(str(library))


def model_rows(random, count):
    """Pieces of the trained model's MLP and attention matrices (bf16)."""
    data = (HERE / "tiny/model.safetensors").read_bytes()
    length = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + length])
    names = sorted(n for n in header if n.endswith("proj.weight"))
    for i in range(count):
        begin, end = header[names[i * len(names) // count]]["data_offsets"]
        at = 8 + length + begin + 2 * random.randrange((end - begin) // 2 - 256)
        halves = struct.unpack("<256H", data[at:at + 512])
        yield [struct.unpack("<f", struct.pack("<I", h << 16))[0] for h in halves]


def groups(n, make):
    """A row of groups of n values, each made by `make`."""
    return [x for _ in range(256 // n) for x in make(n)]


def special_rows(random):
    gauss = lambda s: lambda n: [random.gauss(0, s) for _ in range(n)]
    yield [0.0] * 256
    yield [-0.0] * 256
    for c in [1.0, -1.0, 3e-5, -7e4, 1e6, 1e-7, -1e-15, 1e-20, 1e-40]:
        yield [c] * 256
    for scale in [1e-44, 1e-40, 1e-30, 1e-16, 1e-15, 1e-9, 1e-7, 1e-5, 1e-3, 1.0, 1e3, 3e5, 1e6]:
        yield groups(256, gauss(scale))
    # Groups of very different sizes, some of them zero or constant.
    for n in [16, 32]:
        yield groups(n, lambda n: gauss(10 ** random.uniform(-6, 1))(n))
        yield groups(n, lambda n: gauss(random.choice([0.0, 1.0]))(n))
        yield groups(n, lambda n: [random.uniform(-1, 1)] * n)
        yield groups(n, lambda n: [random.choice([-1, 1]) * random.random() + x * 1e-6
                                   for x in gauss(1)(n)])
        yield groups(n, lambda n: [random.choice([-5e3, 0.0])] * (n // 2) + gauss(1e-4)(n // 2))
    # A subnormal group beside one that sets the scale.
    yield gauss(1)(32) + gauss(1e-41)(224)
    yield gauss(1)(32) + [1e-45, 0.0] * 112
    # Of one sign; far from zero; with outliers; few values; ties.
    yield [abs(x) for x in gauss(1)(256)]
    yield [-abs(x) for x in gauss(1)(256)]
    yield [100 + x for x in gauss(0.01)(256)]
    yield [-100 + x for x in gauss(0.01)(256)]
    for size in [5.0, 50.0, -500.0, 5e4]:
        yield [x if random.random() > 0.02 else size * x for x in gauss(1)(256)]
    yield [1e4] + gauss(1e-3)(255)
    yield [-1e4] + gauss(1e-3)(255)
    yield [math.tan(math.pi * (random.random() - 0.5)) for _ in range(256)]
    yield [float(random.randint(-1, 1)) for _ in range(256)]
    yield [random.choice([-1.0, 1.0]) for _ in range(256)]
    yield [x if random.random() < 0.05 else 0.0 for x in gauss(1)(256)]
    yield [i / 2 - 64 for i in range(256)]
    yield [(i % 32) / 2 for i in range(256)]
    yield [(i % 16 - 8) / 2 for i in range(256)]
    yield [(i % 64 - 32) / 2 for i in range(256)]


def random_rows(random, count):
    for _ in range(count):
        scale, tail = 10 ** random.uniform(-4, 1), random.choice([1, 1, 1, 3])
        yield [math.copysign(abs(x) ** tail, x) * scale
               for x in (random.gauss(random.choice([0, 0, 0.3]), 1) for _ in range(256))]


def write(path, library, rows):
    with open(path, "wb") as file:
        for row in rows:
            values = (ctypes.c_float * 256)(*row)
            file.write(bytes(values))
            for name, size in TYPES:
                block = ctypes.create_string_buffer(size)
                getattr(library, f"quantize_row_{name}_ref")(values, block, ctypes.c_int64(256))
                file.write(block.raw)


def main():
    ggml = pathlib.Path(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder:
        library = build(ggml, pathlib.Path(folder))
        if sys.argv[2:3] == ["--many"]:
            return write(sys.argv[4], library, random_rows(random.Random(), int(sys.argv[3])))
        source = random.Random(1)
        rows = [*special_rows(source), *model_rows(source, 40), *random_rows(source, 32)]
        write(HERE / "k_quants.bin", library, rows)
        print(len(rows), "records")


if __name__ == "__main__":
    main()
