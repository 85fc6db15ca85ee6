"""Building what compare.py runs: the peers from their sources, and this library's side."""

import json
import os
import platform
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
X86_LEVELS = ["SSE42", "AVX", "AVX2", "FMA", "F16C", "BMI2"]
AVX512 = ["AVX512", "AVX512_VBMI", "AVX512_VNNI", "AVX512_BF16"]
# What of llama.cpp is built: its library, and of the tools only llama-bench.
LLAMA_OPTIONS = ["-DCMAKE_BUILD_TYPE=Release", "-DBUILD_SHARED_LIBS=OFF", "-DGGML_CCACHE=OFF",
                 "-DLLAMA_OPENSSL=OFF", "-DLLAMA_BUILD_TOOLS=ON",
                 *(f"-DLLAMA_BUILD_{part}=OFF"
                   for part in ("TESTS", "EXAMPLES", "SERVER", "APP", "UI"))]


def say(text):
    print(text, file=sys.stderr, flush=True)


def run(command, **more):
    say("  $ " + " ".join(map(str, command)))
    try:
        return subprocess.run(command, check=True, **more)
    except (OSError, subprocess.CalledProcessError) as error:
        sys.exit(f"{error}\nleave a peer out with --peers")


def llama_cpp_ggml(args):
    """The ggml folder of llama.cpp's sources."""
    if args.ggml_source:
        found = sorted(Path(args.ggml_source).glob("**/ggml/src/ggml-cpu"))
        if not found:
            sys.exit(f"no ggml/src/ggml-cpu under {args.ggml_source}")
        return found[0].parent.parent
    unpacked = args.build / "llama-cpp-python"
    if not unpacked.exists():
        downloads = args.build / "downloads"
        run([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary",
             "llama-cpp-python", "--dest", downloads, args.llama_cpp_python])
        [archive] = downloads.glob("llama_cpp_python-*.tar.gz")
        with tarfile.open(archive) as tar:
            tar.extractall(unpacked, filter="data")
    return next(unpacked.glob("**/ggml/src/ggml-cpu")).parent.parent


def levels():
    """The builds' names and cmake options: as it comes, and limited to what ours is limited to."""
    builds = {"native": ["-DGGML_NATIVE=ON"]}
    if platform.machine() == "x86_64":
        flags = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
        limits = {}
        if "avx512f" in flags:  # elsewhere the native build is that
            limits["avx2"] = X86_LEVELS
        if "amx_int8" in flags:
            limits["avx512"] = X86_LEVELS + AVX512
        for name, on in limits.items():
            off = [flag for flag in X86_LEVELS + AVX512 if flag not in on]
            builds[name] = ["-DGGML_NATIVE=OFF", *(f"-DGGML_{flag}=ON" for flag in on),
                            *(f"-DGGML_{flag}=OFF" for flag in off)]
    return builds


def cmake(args, source, build, options, target):
    generator = ["-G", "Ninja"] if shutil.which("ninja") else []
    run(["cmake", *generator, "-S", source, "-B", build, *options], stdout=subprocess.DEVNULL)
    run(["cmake", "--build", build, f"-j{args.jobs}", "--target", target],
        stdout=subprocess.DEVNULL)


def ggml_builds(args):
    """The programs by their builds' names."""
    if shutil.which("cmake") is None:
        say("no cmake: ggml is left out")
        return {}
    source = llama_cpp_ggml(args)
    builds = {}
    for name, options in levels().items():
        build = args.build / f"ggml-{name}"
        cmake(args, HERE / "ggml", build, [f"-DGGML_SOURCE={source}", *options], "ggml-bench")
        builds[name] = build / "ggml-bench"
    return builds


def llama_bench_builds(args, names):
    """llama-bench by the names of the builds: one folder, of which only ggml's kernels are built
    anew for another level, and a copy of each program."""
    if shutil.which("cmake") is None:
        say("no cmake: llama-bench is left out")
        return {}
    source = llama_cpp_ggml(args).parent
    build = args.build / "llama.cpp"
    builds = {}
    for name, options in levels().items():
        if name not in names:
            continue
        program, made = args.build / f"llama-bench-{name}", args.build / f"llama-bench-{name}.made"
        how = " ".join(map(str, [source, *LLAMA_OPTIONS, *options]))
        if not (program.exists() and made.exists() and made.read_text() == how):
            cmake(args, source, build, [*LLAMA_OPTIONS, *options], "llama-bench")
            shutil.copy2(build / "bin" / "llama-bench", program)
            made.write_text(how)
        probe = [program, "-m", ROOT / "models" / "tiny-Q8_0.gguf", "-p", "32", "-n", "1", "-r", "1"]
        if subprocess.run(probe, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode:
            say(f"llama-bench {name} does not run here and is left out (GCC 12.2 miscompiles "
                f"its AMX kernels: remove {build} and set CC=clang CXX=clang++)")
        else:
            builds[name] = program
    return builds


def build_candle(args):
    target = args.build / "candle"
    flags = os.environ | {"RUSTFLAGS": "-C target-cpu=native", "CARGO_TARGET_DIR": str(target)}
    run(["cargo", "build", "--release", "--locked", "--quiet"], cwd=HERE / "candle", env=flags)
    return target / "release" / "candle-bench"


def cargo(*what):
    """Builds in release mode; the programs by their targets' names."""
    command = ["cargo", "build", "--release", *what, "--message-format",
               "json-render-diagnostics"]
    out = run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True).stdout
    messages = map(json.loads, out.splitlines())
    return {m["target"]["name"]: m["executable"] for m in messages if m.get("executable")}
