#!/usr/bin/env python3
"""Times transformers' XIELUActivation, eager and compiled, beside this library's CUDA kernels.

    benches/peers/cuda_torch.py                     4096 x 21504, bf16 and f32, on device 0
    benches/peers/cuda_torch.py --dtypes bf16 --tokens 1

Needs PyTorch and transformers, and cargo unless --library names the shared library. Every number
is the median of --rounds rounds; a round runs each contestant once, so that a change of clocks
meets all of them. Results are first compared with f64; a gradient that is wrong ends the program.

`--device cpu` runs the same calls where there is no GPU, on the driver that
kernels-cuda/tools/pretended.sh builds: no times worth reading, but a test of everything else.
"""

import argparse
import statistics
import sys
import time

import torch
from transformers.activations import XIELUActivation

from xielu_ctypes import Library, Xielu, build

DTYPES = {"f32": torch.float32, "bf16": torch.bfloat16, "f16": torch.float16}
STORED = 0.97, -0.62
BETA, EPS = 0.5, -1e-6


def scalars(dtype, device):
    return [torch.tensor([v], dtype=dtype, device=device, requires_grad=True) for v in STORED]


def reference(x, dy, stored):
    x, dy = x.detach().double().requires_grad_(), dy.double()
    p, n = (s.detach().double().requires_grad_() for s in stored)
    alpha_p = torch.nn.functional.softplus(p)
    alpha_n = BETA + torch.nn.functional.softplus(n)
    negative = torch.expm1(torch.clamp(x, max=EPS)) - x
    y = torch.where(x > 0, alpha_p * x * x, alpha_n * negative) + BETA * x
    y.backward(dy)
    return y.detach(), x.grad, p.grad, n.grad


def clear(*tensors):
    for tensor in tensors:
        tensor.grad = None


class Contestant:
    """One implementation on one input."""

    def __init__(self, name, function, x, dy, parameters):
        self.name, self.function, self.dy, self.parameters = name, function, dy, parameters
        self.x = x.detach().clone().requires_grad_()

    def forward(self):
        with torch.no_grad():
            self.function(self.x)

    def both(self):
        clear(self.x, *self.parameters)
        self.function(self.x).backward(self.dy)

    def results(self):
        clear(self.x, *self.parameters)
        y = self.function(self.x)
        y.backward(self.dy)
        return y.detach(), self.x.grad, *(p.grad for p in self.parameters)


def contestants(library, x, dy):
    theirs = XIELUActivation(beta=BETA, eps=EPS, dtype=x.dtype).to(x.device)
    stored = theirs.alpha_p, theirs.alpha_n
    with torch.no_grad():
        for parameter, value in zip(stored, STORED):
            parameter.fill_(value)
    # Not the authors' kernels, which it would call if they were installed.
    eager = getattr(theirs, "_xielu_python", theirs.forward)
    ours = scalars(x.dtype, x.device)
    return [
        Contestant("transformers eager", eager, x, dy, stored),
        Contestant("transformers compiled", torch.compile(eager), x, dy, stored),
        Contestant("xielu", lambda x: Xielu.apply(x, *ours, library, BETA, EPS), x, dy, ours),
    ]


def check(all_of_them, x, dy):
    """Prints the largest errors, relative to the largest value; ours must be those of rounding."""
    expected = reference(x, dy, scalars(x.dtype, x.device))
    print(f"{'largest error, in eps of the type':34} {'y':>8} {'dx':>8} {'draw_p':>8} {'draw_n':>8}")
    for contestant in all_of_them:
        errors = []
        for found, true in zip(contestant.results(), expected):
            scale = true.abs().max() * torch.finfo(x.dtype).eps
            errors.append(((found.double() - true).abs().max() / scale).item())
        print(f"{contestant.name:34} " + " ".join(f"{error:8.2f}" for error in errors))
    # Beside the one rounding there is that of f32, for f32.
    if not all(error <= 2.0 for error in errors):
        sys.exit("error: wrong results")


def seconds(run, device):
    if device.type != "cuda":
        start = time.perf_counter()
        run()
        return time.perf_counter() - start
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start.record()
    run()
    end.record()
    end.synchronize()
    return start.elapsed_time(end) / 1e3


def compare(all_of_them, what, rounds, device):
    runs = [getattr(c, what) for c in all_of_them]
    for run in runs * 3:
        run()
    times = [[] for _ in runs]
    for _ in range(rounds):
        for run, measured in zip(runs, times):
            measured.append(seconds(run, device))
    medians = [statistics.median(measured) for measured in times]
    for contestant, median in zip(all_of_them, medians):
        ratio = median / medians[-1]
        print(f"{contestant.name:34} {1e6 * median:12.1f} us {ratio:8.2f} x ours")
    return min(medians[:-1]) > medians[-1]


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--library", help="libxielu_kernels_cuda.so, instead of building it")
    parser.add_argument("--device", default="cuda", choices=["cuda", "cpu"])
    parser.add_argument("--dtypes", default="bf16,f32", help="of f32, bf16, f16")
    parser.add_argument("--tokens", type=int, default=4096)
    parser.add_argument("--features", type=int, default=21504)
    parser.add_argument("--rounds", type=int, default=31)
    parser.add_argument("--check", action="store_true", help="fail where ours is not fastest")
    args = parser.parse_args()
    unknown = set(args.dtypes.split(",")) - set(DTYPES)
    if unknown:
        parser.error(f"no such dtype: {', '.join(sorted(unknown))}")
    return args


def main():
    args = arguments()
    if args.device == "cuda" and not torch.cuda.is_available():
        print("not run: PyTorch finds no CUDA device")
        return
    device = torch.device(args.device)
    library = Library(args.library or build())
    name = torch.cuda.get_device_name() if args.device == "cuda" else "no device"
    print(f"{name}, PyTorch {torch.__version__}, medians of {args.rounds}")
    fastest = True
    for dtype in args.dtypes.split(","):
        shape = args.tokens, args.features
        x = (torch.randn(shape, device=device) * 1.2 - 0.7).to(DTYPES[dtype])
        # Mostly of one sign: sums that nearly cancel would say little about the kernels.
        dy = (torch.randn(shape, device=device) + 1.0).to(DTYPES[dtype])
        print(f"\n{args.tokens} x {args.features} {dtype}")
        all_of_them = contestants(library, x, dy)
        check(all_of_them, x, dy)
        for what, title in [("forward", "forward"), ("both", "forward + backward")]:
            print(title)
            fastest &= compare(all_of_them, what, args.rounds, device)
    if args.check and not fastest:
        sys.exit("error: not the fastest of all")


if __name__ == "__main__":
    main()
