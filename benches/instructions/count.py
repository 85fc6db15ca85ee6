#!/usr/bin/env python3
"""Instructions per value (activations, softmax) or multiply-accumulate (products, `TYPExTOKENS`;
attention of 128 queries) of each kernel, on every instruction set this machine can count.

    python3 benches/instructions/count.py [--aarch64 BINARY] [KERNEL ...]

x86-64: valgrind counts what it knows (scalar, AVX2); other instruction sets run one instruction at
a time under ptrace, where the CPU has them. aarch64: BINARY is the example `kernel` built for
aarch64-unknown-linux-gnu; qemu-aarch64 writes a line for each instruction. A kernel is run with
two numbers of repeats and the counts are subtracted.
"""

import argparse
import ctypes
import os
import re
import shutil
import subprocess
import sys

VALUES = 8192  # a tile of the sums of gradients
KEYS = 8192  # values of 64 keys, each multiplied with 128 queries; the values as often
TYPES = ["q8_0", "q4_0", "q4_k", "q5_k", "q6_k", "f16", "bf16", "f32"]
# Those without tiles, whose products with several tokens go one way.
UNTILED = ["q4_1", "q5_0", "q5_1", "q2_k", "q3_k", "iq4_nl", "iq4_xs", "mxfp4"]
# Weights, in 32 rows, that a product of so many tokens is counted with.
WEIGHTS = {1: 131072, 4: 65536, 64: 8192}
KERNELS = [
    "relu2-f32", "xiprelu-f32", "silu-f32", "swiglu-f32",
    "xielu-f32", "xielu-bf16", "xielu-f16", "xielu-q8_0",
    "relu2-backward", "xiprelu-backward", "xielu-backward", "swiglu-backward",
    "softmax-f32", "attention-f32", "attention-f16", "attention-bf16", "attention-q8_0",
] + [f"{dtype}x{tokens}" for tokens in WEIGHTS for dtype in TYPES] + [
    f"{dtype}x1" for dtype in UNTILED
]
NATIVE = ["scalar", "avx2", "avx-vnni", "avx512", "avx512-vnni"]
AARCH64 = ["neon", "dotprod", "i8mm"]
VALGRIND = shutil.which("valgrind")
VALGRIND_ISAS = ["scalar", "avx2"]  # it has neither VNNI nor AVX-512
PTRACE_TRACEME, PTRACE_PEEKUSER, PTRACE_SINGLESTEP, PTRACE_SYSCALL = 0, 3, 9, 24
ORIG_RAX, SYS_WRITE = 15 * 8, 1  # where the kernel keeps the number of a system call, and one


def count_native(command):
    """Executed instructions of an x86-64 program; None if it fails."""
    if subprocess.run(command, capture_output=True).returncode != 0:
        return None  # not an instruction set of this CPU
    if VALGRIND and command[2] in VALGRIND_ISAS:
        return count_valgrind(command)
    return count_steps(command)


def count_valgrind(command):
    """What callgrind collects: a hundred times faster than single steps."""
    run = subprocess.run([VALGRIND, "--tool=callgrind", "--callgrind-out-file=/dev/null", *command],
                         capture_output=True, text=True)
    collected = re.search(r"Collected : (\d+)", run.stderr)
    return int(collected[1]) if run.returncode == 0 and collected else None


def count_steps(command):
    """By single steps under ptrace: any instruction that the CPU has. They are slow, so they begin
    when the program has said that it is ready: its first write."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.restype = ctypes.c_long
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    child = os.fork()
    if child == 0:
        for stream in (1, 2):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
        libc.ptrace(PTRACE_TRACEME, 0, None, None)
        os.execv(command[0], command)
    steps, request = 0, PTRACE_SYSCALL
    step, wait = libc.ptrace, os.waitpid
    while True:
        _, status = wait(child, 0)
        if not os.WIFSTOPPED(status):
            return steps if status == 0 else None
        if request == PTRACE_SINGLESTEP:
            steps += 1
        elif step(PTRACE_PEEKUSER, child, ORIG_RAX, None) == SYS_WRITE:
            request = PTRACE_SINGLESTEP
        step(request, child, None, None)


def count_aarch64(command):
    """Executed instructions of an aarch64 program; None if it fails. An emulator that is
    interrupted traces an instruction twice, so the least of three runs counts."""
    runs = [trace_aarch64(command) for _ in range(3)]
    return None if None in runs else min(runs)


def trace_aarch64(command):
    """Lines of the trace of qemu, one for each instruction; None if the program fails."""
    for one_at_a_time in ["-one-insn-per-tb", "-singlestep"]:  # since and before qemu 8.1
        qemu = ["qemu-aarch64", "-cpu", "max", "-L", "/usr/aarch64-linux-gnu", one_at_a_time,
                "-d", "exec,nochain", "-D", "/dev/stdout"]
        with subprocess.Popen(qemu + command, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL) as process:
            lines = sum(line.startswith(b"Trace") for line in process.stdout)
        if process.returncode == 0:
            return lines
    return None


def size(kernel):
    """What the kernel takes, and the values or multiply-accumulates of one run."""
    dtype, _, tokens = kernel.rpartition("x")
    if dtype in TYPES + UNTILED:
        return WEIGHTS[int(tokens)], WEIGHTS[int(tokens)] * int(tokens)
    if kernel.startswith("attention"):
        return KEYS, 2 * 128 * KEYS
    return VALUES, VALUES


def per_value(count, binary, kernel, isa):
    n, values = size(kernel)
    runs = [count([binary, kernel, isa, str(n), str(repeats)]) for repeats in (1, 2)]
    return None if None in runs else (runs[1] - runs[0]) / values


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--aarch64", metavar="BINARY", help="the example built for aarch64")
    parser.add_argument("kernels", nargs="*", metavar="KERNEL", default=KERNELS)
    options = parser.parse_args()
    subprocess.run(["cargo", "build", "--release", "-p", "xielu-kernels-simd",
                    "--example", "kernel"], check=True)
    target = os.environ.get("CARGO_TARGET_DIR", "target")
    native = os.path.abspath(os.path.join(target, "release/examples/kernel"))
    columns = [(isa, count_native, native) for isa in NATIVE]
    if options.aarch64:
        columns += [(isa, count_aarch64, options.aarch64) for isa in AARCH64]
    print("| instructions | " + " | ".join(isa for isa, *_ in columns) + " |")
    print("|---|" + "---|" * len(columns))
    for kernel in options.kernels:
        cells = (per_value(count, binary, kernel, isa) for isa, count, binary in columns)
        texts = ["-" if cell is None else f"{cell:.3f}" for cell in cells]
        print(f"| {kernel} | " + " | ".join(texts) + " |", flush=True)


if __name__ == "__main__":
    sys.exit(main())
