"""Whole models beside llama.cpp's llama-bench: random weights in one file, which both run.

    benches/peers/compare.py --only end-to-end
    benches/peers/compare.py --only end-to-end --quick
    benches/peers/compare.py --only end-to-end --shape 8B --types q4_k_m --prompts 2048 --depths 0

A prompt begins with an empty KV cache, which is f16 on both sides; everything else is as it comes.
A round runs each contestant once. Lengths above a thousand tokens take minutes, so that they have
rounds of their own (--long-rounds).
"""

import json
import os
import subprocess
import sys
import tempfile

from building import ROOT, cargo, llama_bench_builds, run, say

SECTION = "end-to-end"
TYPES = ["q8_0", "q4_0", "q4_k_m", "q6_k", "bf16"]
LONG = 1000
WARM_UP = 32
PEAK = "resident_mb"


def add_arguments(parser, comma):
    group = parser.add_argument_group(SECTION)
    group.add_argument("--shape", default="1.1B", help="of examples/random_model.rs")
    group.add_argument("--prompts", type=comma(int), default=[128, 512, 4096], metavar="N,...")
    group.add_argument("--depths", type=comma(int), default=[0, 4096], metavar="N,...",
                       help="tokens in the KV cache before generation")
    group.add_argument("--generate", type=int, default=32, metavar="N")
    group.add_argument("--long-rounds", type=int, default=1, metavar="N",
                       help=f"rounds of prompts and depths above {LONG}")
    group.add_argument("--quick", action="store_true",
                       help="q8_0 and q4_k_m, one thread, no long lengths, the fastest "
                       "instruction set, one round, where nothing else is asked for")


class Program:
    def output(self, model, *command):
        """Rates by the names of the tests, and the megabytes that were resident at most."""
        with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as errors:
            process = subprocess.Popen(list(map(str, command)), stdout=out, stderr=errors)
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            out.seek(0)
            errors.seek(0)
            if process.returncode != 0:
                sys.exit(f"{command} failed:\n{errors.read()}")
            rates = {name_of(row): row["samples_ts"][0] for row in json.load(out)}
        unit = 1 if sys.platform == "darwin" else 1024
        return rates | {"file_mb": model.stat().st_size / 1e6, PEAK: used.ru_maxrss * unit / 1e6}


def name_of(row):
    """A test's name in the results."""
    return f"pp{row['n_prompt']}" if row["n_prompt"] else f"tg{row['n_gen']}@{row['n_depth']}"


def comma(numbers):
    return ",".join(map(str, numbers))


class Xielu(Program):
    def __init__(self, program, isa):
        self.program, self.isa, self.name = program, isa, f"xielu {isa}"

    def once(self, model, threads, prompts, depths, generate):
        # Its first prompt warms up, and there is no bench without a prompt and a generation.
        rates = self.output(model, self.program, "bench", model, "--isa", self.isa, "--threads", threads,
                            "--prompt", comma([WARM_UP, *prompts]), "--depth", comma(depths or [0]),
                            "-n", generate if depths else 1, "--repeats", 1, "--output", "json")
        wanted = [f"pp{n}" for n in prompts] + [f"tg{generate}@{n}" for n in depths]
        return {name: rates[name] for name in [*wanted, "file_mb", PEAK]}


class LlamaBench(Program):
    def __init__(self, program, build):
        self.program, self.build, self.name = program, build, f"llama.cpp {build}"

    def once(self, model, threads, prompts, depths, generate):
        rates = {}
        # Every prompt would be measured at every depth.
        for prompts, generate, depths in ((prompts, 0, [0]), ([0], generate, depths)):
            if prompts and depths:
                warm = ["--no-warmup"] if max(prompts) > LONG else []
                once = self.output(model, self.program, "-m", model, "-t", threads, "-p",
                                   comma(prompts), "-n", generate, "-d", comma(depths), "-r", 1,
                                   "-o", "json", *warm)
                peak = max(rates.get(PEAK, 0), once[PEAK])
                rates |= once | {PEAK: peak}
        return rates


def default_isa(program):
    """The one that runs if none is named."""
    out = subprocess.run([program, "bench", ROOT / "models" / "tiny-Q8_0.gguf", "-p", "1", "-n", "1",
                          "-r", "1", "-o", "json"], check=True, text=True, stdout=subprocess.PIPE)
    return json.loads(out.stdout)[0]["isa"]


def contestants(args, program):
    """Ours, and llama-bench limited to what they are limited to."""
    fastest = default_isa(program)
    isas = args.isa or ([fastest] if args.quick else list(dict.fromkeys([fastest, "avx2"])))
    names = {"avx2" if isa == "avx2" != fastest else "native" for isa in isas}
    if "native" in names:
        names.add("avx512")  # where the native build has AMX
    builds = llama_bench_builds(args, names) if "ggml" in args.peers else {}
    return [*(Xielu(program, isa) for isa in isas),
            *(LlamaBench(built, name) for name, built in builds.items())]


def written(args, maker, dtype):
    folder = args.build / "models"
    folder.mkdir(exist_ok=True)
    path = folder / f"{args.shape}-{dtype}.gguf"
    if not path.exists():
        run([maker, args.shape, dtype, path], stdout=subprocess.DEVNULL)
    return path


def measure(args, results):
    programs = cargo("--features", "cli", "--bin", "xielu", "--example", "random_model")
    all_of_them = contestants(args, programs["xielu"])
    types = args.types or (["q8_0", "q4_k_m"] if args.quick else TYPES)
    threads = args.threads or sorted({1} if args.quick else {1, os.cpu_count()})
    rounds = 1 if args.quick else args.rounds
    if args.build_only:
        return
    for dtype in types:
        model = written(args, programs["random_model"], dtype)
        for n in threads:
            for group, rounds_of in (("short", rounds), ("long", args.long_rounds)):
                if args.quick and group == "long":
                    continue
                prompts, depths = ([length for length in lengths
                                    if (length > LONG) == (group == "long")]
                                   for lengths in (args.prompts, args.depths))
                if prompts or depths:
                    say(f"{args.shape} {dtype}, {n} thread(s), {group}")
                    results.measure(f"{SECTION}/{args.shape}/{dtype}/{n}/{group}", all_of_them,
                                    model, n, prompts, depths, args.generate, rounds=rounds_of)
