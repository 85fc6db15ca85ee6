#!/usr/bin/env bash
# Everything that needs a GPU, in one go: the tests on the device, compute-sanitizer on them, the
# bench with its goals, and transformers beside ours.
#
#   tools/on-gpu.sh
#
# Needs NVIDIA's driver, cargo and a C++ compiler; compute-sanitizer (a CUDA toolkit's, or pip
# installs its wheel into target/) and PyTorch with transformers if those steps are to run. Each
# step runs whatever became of the others; the summary at the end says how each went.
# XIELU_EXHAUSTIVE=1 adds all 2^32 floats to the tests.
set -uo pipefail
cd "$(dirname "$0")/.."

export XIELU_REQUIRE=${XIELU_REQUIRE:+$XIELU_REQUIRE,}cuda
features=host-twin,capi
# Those that run kernels, and not only to provoke the driver.
sanitized=(arguments:: backward:: decoder:: device:: forward:: q8_0:: sums::)
summary=()
failed=0

# step NAME COMMAND...: 0 is well, 77 is left out, anything else has failed.
step() {
    local name=$1 status=0
    shift
    printf '\n=== %s\n' "$name"
    "$@" || status=$?
    case $status in
        0) summary+=("passed   $name") ;;
        77) summary+=("left out $name") ;;
        *) summary+=("FAILED   $name") failed=1 ;;
    esac
}

machine() {
    nvidia-smi --query-gpu=name,driver_version,compute_cap,clocks.max.sm,clocks.max.mem \
        --format=csv || return 77
}

tests() {
    cargo test -p xielu-kernels-cuda --features $features --release --no-fail-fast -- --nocapture || return
    [ -z "${XIELU_EXHAUSTIVE:-}" ] || cargo test -p xielu-kernels-cuda --features $features --release \
        --test kernels -- --ignored --nocapture f32_every_encoding
}

models() {
    cargo test -p xielu --features cli,cuda --test cuda -- --include-ignored --nocapture
}

find_sanitizer() {
    command -v compute-sanitizer && return
    local wheel=../target/compute-sanitizer
    [ -d $wheel ] || python3 -m pip install --quiet --no-deps --target $wheel \
        nvidia-cuda-sanitizer-api==13.5.25 >&2 || return
    find $wheel -path '*compute-sanitizer/compute-sanitizer' -exec chmod +x {} + -print -quit
}

# The test program's path.
program() {
    cargo test -p xielu-kernels-cuda --features $features --release --no-run \
        --message-format=json --test kernels 2>/dev/null \
        | grep -o '"executable":"[^"]*"' | cut -d'"' -f4
}

sanitize() {
    local tool=$1 sanitizer
    # It instruments a real driver only, not a pretended one.
    nvidia-smi >/dev/null 2>&1 || { echo 'nvidia-smi finds no device'; return 77; }
    sanitizer=$(find_sanitizer) || { echo 'no compute-sanitizer'; return 77; }
    [ -n "$sanitizer" ] || { echo 'no compute-sanitizer'; return 77; }
    # Tests ask for devices that are not there. 1e8 elements are the host's alone.
    XIELU_SUM_ELEMENTS=1000000 "$sanitizer" --tool "$tool" --report-api-errors no \
        --error-exitcode 1 "$(program)" --test-threads 1 "${sanitized[@]}"
}

bench() {
    cargo bench -p xielu-kernels-cuda --bench kernels -- --check
}

peers() {
    python3 -c 'import torch, transformers' 2>/dev/null \
        || { echo 'no PyTorch with transformers'; return 77; }
    python3 ../benches/peers/cuda_torch.py --check
}

step 'machine' machine
step 'tests on the device' tests
step 'models on the device' models
for tool in memcheck racecheck initcheck; do
    step "compute-sanitizer $tool" sanitize $tool
done
step 'bench' bench
step 'PyTorch' peers

printf '\n'
printf '%s\n' "${summary[@]}"
exit $failed
