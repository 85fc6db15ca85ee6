"""Times PyTorch's CPU kernels. One measurement a call, `key value` lines out; exits with 3 where
PyTorch has no such operation. PyTorch runs float weights only.

    torch_bench.py elementwise xielu|relu2|silu|swiglu N THREADS
    torch_bench.py mlp f32|bf16|f16 TOKENS THREADS
"""

import itertools
import math
import statistics
import sys
import time

import torch
import torch.nn.functional as F

HIDDEN, FFN = 4096, 21504
OUT_OF_CACHE = 768 << 20  # weights cycle over copies, so that they come from main memory


def softplus(v):
    return math.log1p(math.exp(v))


ALPHA_P, ALPHA_N, BETA, EPS = softplus(0.97), 0.5 + softplus(-0.62), 0.5, -1e-6


def xielu(x):
    positive = ALPHA_P * x * x + BETA * x
    negative = (torch.expm1(torch.clamp(x, max=EPS)) - x) * ALPHA_N + BETA * x
    return torch.where(x > 0, positive, negative)


def median_seconds(f):
    f()
    times, end = [], time.perf_counter() + 0.5
    while len(times) < 3 or time.perf_counter() < end:
        start = time.perf_counter()
        f()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def elementwise(op, n):
    x = torch.randn(n) * 1.2 - 1.5
    gate = x.clone()
    run = {
        "xielu": lambda: xielu(x),
        "relu2": lambda: F.relu(x).square(),
        "silu": lambda: F.silu(x),
        "swiglu": lambda: F.silu(gate) * x,
    }[op]
    repeats = max(1, min(256, (1 << 20) // n))
    seconds = median_seconds(lambda: [run() for _ in range(repeats)])
    print(f"ns {1e9 * seconds / (n * repeats):.5f}")


def mlp(name, tokens):
    dtypes = {"f32": torch.float32, "bf16": torch.bfloat16, "f16": torch.float16}
    if name not in dtypes:
        sys.exit(3)
    dtype = dtypes[name]
    layer_bytes = 2 * HIDDEN * FFN * dtype.itemsize
    up = (torch.randn(FFN, HIDDEN) * 0.02).to(dtype)
    down = (torch.randn(HIDDEN, FFN) * 0.02).to(dtype)
    layers = [(up.clone(), down.clone()) for _ in range(-(-OUT_OF_CACHE // layer_bytes))]
    x = torch.randn(tokens, HIDDEN).to(dtype)
    turns = itertools.cycle(layers)

    def forward():
        up, down = next(turns)
        return F.linear(xielu(F.linear(x, up)), down)

    h = F.linear(x, up)
    activation = median_seconds(lambda: xielu(h))
    seconds = median_seconds(forward)
    print(f"ms {1e3 * seconds:.5f}\nactivation_ms {1e3 * activation:.5f}")
    print(f"gb_s {layer_bytes / seconds / 1e9:.4f}")
    print(f"gflop_s {4 * HIDDEN * FFN * tokens / seconds / 1e9:.3f}")


def main():
    match sys.argv[1:]:
        case ["elementwise", op, n, threads]:
            torch.set_num_threads(int(threads))
            elementwise(op, int(n))
        case ["mlp", dtype, tokens, threads]:
            torch.set_num_threads(int(threads))
            mlp(dtype, int(tokens))
        case _:
            sys.exit(__doc__)


with torch.inference_mode():
    main()
