#!/usr/bin/env python3
"""Times this library beside ggml, candle and PyTorch, and prints the tables.

    benches/peers/compare.py                          everything that can be built here
    benches/peers/compare.py --only one-token --types q8_0,q4_0 --rounds 5
    benches/peers/compare.py --only end-to-end        whole models beside llama-bench (end_to_end.py)

ggml is built from llama.cpp's sources, which the llama-cpp-python source package on PyPI holds
(`pip download`), or from --ggml-source. It needs cmake and a C++ compiler. candle is built with
cargo. PyTorch takes part if `import torch` works. What is missing is left out, with a message.

Every number is the median of --rounds rounds. A round runs each contestant once, one after the
other, every second one backwards, each in a process of its own, so that drift of the machine meets
all of them.
"""

import argparse
import importlib.util
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

import end_to_end
from building import HERE, ROOT, build_candle, cargo, ggml_builds, run, say
from tables import OPS, SIZES, print_all

SECTIONS = ["elementwise", "one-token", "prompt", "products", "accuracy"]
PEERS = ["ggml", "candle", "torch"]
TYPES = ["f16", "bf16", "q8_0", "q4_0", "q4_k", "q5_k", "q6_k"]


# Contestants: a name, and the command for a measurement, or None where there is none.


class Contestant:
    def once(self, *what):
        """`key value` lines as a dictionary; None if the contestant has no such operation."""
        found = self.command(*what)
        if found is None:
            return None
        command, env = found
        done = subprocess.run(list(map(str, command)), env=os.environ | env, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if done.returncode == 3:
            return None
        if done.returncode != 0:
            sys.exit(f"{command} failed:\n{done.stderr}")
        return {key: float(value) for key, value in map(str.split, done.stdout.splitlines())}


class Ours(Contestant):
    def __init__(self, program, isa, layout):
        self.program, self.isa, self.layout = program, isa, layout
        self.name = f"xielu {isa}" + ("" if layout == "stored" else f" {layout}")

    def command(self, kind, what, n, threads, *file):
        if kind in ("mlp", "product"):
            # Products alone are not public: the layer whose activation costs least stands in.
            args = ["mlp", "xielu" if kind == "mlp" else "relu2", what, n, self.layout]
        elif self.layout != "stored":
            return None
        else:
            args = [kind, what, n, *file]
        env = {"XIELU_ISA": self.isa, "RAYON_NUM_THREADS": str(threads)}
        return [self.program, *args], env


class Ggml(Contestant):
    def __init__(self, build, program, buffer):
        self.program, self.buffer = program, buffer
        self.name = f"ggml {build}" + ("" if buffer == "plain" else f" {buffer}")

    def command(self, kind, what, n, threads, *file):
        if kind == "elementwise":
            return ([self.program, kind, what, n, threads], {}) if self.buffer == "plain" else None
        if kind == "mlp-error":
            return [self.program, kind, what, n, self.buffer, *file], {}
        return [self.program, kind, what, n, threads, self.buffer], {}


class Candle(Contestant):
    name = "candle"

    def __init__(self, program):
        self.program = program

    def command(self, kind, what, n, threads, *file):
        if kind == "product":
            return None
        return [self.program, kind, what, n, *file], {"RAYON_NUM_THREADS": str(threads)}


class Torch(Contestant):
    name = "PyTorch"

    def command(self, kind, what, n, threads, *file):
        if kind in ("mlp-error", "product"):
            return None
        return [sys.executable, HERE / "torch_bench.py", kind, what, n, threads], {}


class Results:
    """Medians by row and contestant; a file keeps those of earlier runs too."""

    def __init__(self, path, rounds):
        self.path, self.rounds = path, rounds
        self.kept = json.loads(path.read_text()) if path.exists() else {}
        self.rows = {}

    def measure(self, row, contestants, *what, rounds=None):
        runs = {}
        for at in range(rounds or self.rounds):
            for contestant in contestants if at % 2 == 0 else reversed(contestants):
                if runs.get(contestant.name, ()) is not None:
                    once = contestant.once(*what)
                    runs[contestant.name] = once and runs.get(contestant.name, []) + [once]
        self.rows[row] = {
            name: {key: statistics.median(r[key] for r in found) for key in found[0]}
            for name, found in runs.items() if found
        }
        say(f"  {row}: {self.rows[row]}")
        temporary = self.path.with_suffix(".tmp")
        self.kept[row] = self.rows[row]
        temporary.write_text(json.dumps(self.kept, indent=1))
        temporary.rename(self.path)


class Bandwidth(Contestant):
    name = "read"

    def __init__(self, program):
        self.program = program

    def command(self, threads):
        return [self.program, "bandwidth"], {"RAYON_NUM_THREADS": str(threads)}


class Copy(Contestant):
    name = "copy"

    def __init__(self, program):
        self.program = program

    def command(self, kind, _op, n, threads):
        return [self.program, kind, "copy", n], {"RAYON_NUM_THREADS": str(threads)}


# Measuring


def measure(args, results, ours, peers, program):
    threads_of, types = args.threads or [1, 2], args.types or TYPES
    if "elementwise" in args.only:
        for threads in threads_of:
            for n in SIZES if threads == 1 else SIZES[2:]:
                for op in args.ops:
                    results.measure(f"elementwise/{op}/{n}/{threads}",
                                    [Copy(program), *ours, *peers], "elementwise", op, n, threads)
    for section in ("one-token", "prompt"):
        if section not in args.only:
            continue
        for threads in threads_of if section == "one-token" else threads_of[:1]:
            results.measure(f"read/{section}/{threads}", [Bandwidth(program)], threads)
            for dtype in types:
                for n in [1] if section == "one-token" else args.tokens:
                    results.measure(f"mlp/{dtype}/{n}/{threads}", [*ours, *peers], "mlp", dtype,
                                    n, threads)
    if "products" in args.only:
        for dtype in types:
            for n in [1, *args.tokens]:
                results.measure(f"product/{dtype}/{n}/1", [*ours, *peers], "product", dtype, n, 1)
    if "accuracy" in args.only:
        maker = next((p for p in peers if isinstance(p, Ggml)), None)
        if maker is None:
            say("the accuracy needs ggml, whose encoder makes the weights")
            return
        for dtype in types:
            file = args.build / "weights.bin"
            run([maker.program, "mlp-data", dtype, "4", file])
            results.measure(f"error/{dtype}", [*ours, *peers], "mlp-error", dtype, 4, 1, file,
                            rounds=1)
            file.unlink()


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)

    def comma(kind=str):
        return lambda text: [kind(item) for item in text.split(",")]

    parser.add_argument("--only", type=comma(), default=SECTIONS, metavar="SECTION,...",
                        help=f"of {','.join(SECTIONS)}, and {end_to_end.SECTION}, which takes an "
                        "hour or more and only runs if named")
    parser.add_argument("--types", type=comma(), metavar="TYPE,...",
                        help="of weights; mixtures end to end only")
    parser.add_argument("--ops", type=comma(), default=OPS, metavar="OP,...")
    parser.add_argument("--tokens", type=comma(int), default=[8, 32, 128, 512], metavar="N,...",
                        help="batches of the prompt section")
    parser.add_argument("--threads", type=comma(int), metavar="N,...",
                        help="default: 1,2; end to end: 1 and all")
    parser.add_argument("--rounds", type=int, default=3)
    end_to_end.add_arguments(parser, comma)
    parser.add_argument("--isa", type=comma(), metavar="ISA,...",
                        help="instruction sets of ours (default: the fastest, and avx2)")
    parser.add_argument("--peers", type=comma(), default=PEERS, metavar="PEER,...",
                        help=f"of {','.join(PEERS)}")
    parser.add_argument("--ggml-source", metavar="DIR", help="llama.cpp's sources, already there")
    parser.add_argument("--llama-cpp-python", default="llama-cpp-python", metavar="REQUIREMENT",
                        help="which source package pip downloads")
    parser.add_argument("--build", type=Path, default=ROOT / "target" / "peers", metavar="DIR")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--build-only", action="store_true")
    parser.add_argument("--print", action="store_true", help="only print what earlier runs kept")
    args = parser.parse_args()
    for given, known in ((args.only, [*SECTIONS, end_to_end.SECTION]), (args.ops, OPS),
                         (args.peers, PEERS)):
        if unknown := set(given) - set(known):
            parser.error(f"no {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    args.build = args.build.resolve()
    return args


def contestants(args, program):
    """Ours, and the peers that can be built here."""
    info = subprocess.run([program, "info"], check=True, text=True, stdout=subprocess.PIPE).stdout
    available = [line.split()[1] for line in info.splitlines() if line.startswith("isa ")]
    isas = args.isa or list(dict.fromkeys([available[-1], *({"avx2"} & set(available))]))
    ours = [Ours(program, isa, layout) for isa in isas for layout in ("stored", "packed")]
    peers = []
    if "ggml" in args.peers:
        for name, built in ggml_builds(args).items():
            info = subprocess.run([built, "info"], check=True, text=True,
                                  stdout=subprocess.PIPE).stdout
            buffers = [line.split()[1] for line in info.splitlines() if line.startswith("buffer")]
            peers += [Ggml(name, built, buffer) for buffer in buffers]
    if "candle" in args.peers:
        peers.append(Candle(build_candle(args)))
    if "torch" in args.peers:
        if importlib.util.find_spec("torch"):
            peers.append(Torch())
        else:
            say("no PyTorch (pip install torch): left out")
    return ours, peers


def main():
    args = arguments()
    results = Results(args.build / "results.json", args.rounds)
    if args.print:
        return print_all(results.kept)
    args.build.mkdir(parents=True, exist_ok=True)
    if end_to_end.SECTION in args.only:
        end_to_end.measure(args, results)
    if set(args.only) & set(SECTIONS):
        program = cargo("--bench", "peers", "--features", "rayon")["peers"]
        ours, peers = contestants(args, program)
        if not args.build_only:
            measure(args, results, ours, peers, program)
    print_all(results.rows)


main()
