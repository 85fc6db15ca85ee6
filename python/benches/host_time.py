"""What a call costs on the host: xielu on 64 values beside torch's own silu, in microseconds.

    python benches/host_time.py [--values 64] [--dtype float32] [--rounds 50]

64 values take a kernel well under a microsecond: what is printed is dispatch, checks and autograd.
It is the process's CPU time on one thread, so other programs on the machine count for little.
"""

import argparse
import statistics
import time
import timeit

import torch

import xielu


def calls(values: int, dtype: torch.dtype) -> dict:
    x = torch.linspace(-3, 3, values, dtype=dtype)
    leaf = x.clone().requires_grad_()
    p, n = (torch.tensor([a], dtype=dtype) for a in (0.3, -0.7))
    trained = [t.clone().requires_grad_() for t in (p, n)]
    dy = torch.ones_like(x)
    silu = torch.nn.functional.silu
    return {
        "silu forward": lambda: silu(x),
        "xielu forward": lambda: xielu.xielu(x, p, n),
        "silu forward + backward": lambda: torch.autograd.grad(silu(leaf), leaf, dy),
        "xielu forward + backward": lambda: torch.autograd.grad(xielu.xielu(leaf, p, n), leaf, dy),
        "xielu forward + backward, alphas too": lambda: torch.autograd.grad(
            xielu.xielu(leaf, *trained), (leaf, *trained), dy
        ),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--values", type=int, default=64)
    parser.add_argument("--dtype", default="float32", choices=["float32", "bfloat16", "float16"])
    parser.add_argument("--rounds", type=int, default=50)
    options = parser.parse_args()
    torch.set_num_threads(1)
    print(f"torch {torch.__version__}, xielu {xielu.version()}, kernels: {xielu.available()}")
    print(f"{'microseconds a call, ' + str(options.values) + ' x ' + options.dtype:<40} least  median")
    for name, call in calls(options.values, getattr(torch, options.dtype)).items():
        timer = timeit.Timer(call, timer=time.process_time)
        count, took = timer.autorange()
        count = max(1, int(count * 0.02 / took))
        times = [t / count * 1e6 for t in timer.repeat(options.rounds, count)]
        print(f"{name:<40} {min(times):5.1f}  {statistics.median(times):6.1f}")


if __name__ == "__main__":
    main()
