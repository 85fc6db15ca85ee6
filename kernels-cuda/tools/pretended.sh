#!/usr/bin/env bash
# Runs the tests and the bench of the crate on a driver without a device: a library in libcuda's
# place whose launches run the host twins. Everything but the hardware and NVIDIA's own code takes
# part. With a COMMAND, runs that instead.
#
#   tools/pretended.sh [COMMAND...]
set -euo pipefail
crate=$(cd "$(dirname "$0")/.." && pwd)

# The library is kept: to compile it takes a minute.
folder=$(realpath -m "${CARGO_TARGET_DIR:-$crate/../target}/pretended")
library=$folder/libcuda.so
if [ ! -e "$library" ] || [ -n "$(find "$crate"/{cuda,tests/pretended,benches/versions,tools} \
    -type f -newer "$library" -print -quit)" ]; then
    instructions=()
    [ "$(uname -m)" != x86_64 ] || instructions=(-mavx2 -mfma)
    mkdir -p "$folder"
    g++ -std=c++17 -O2 -shared -fPIC -ffp-contract=off -fno-strict-aliasing "${instructions[@]}" \
        -Wall -Wextra -x c++ "$crate"/tests/pretended/libcuda.cpp "$crate"/cuda/*.cu \
        "$crate"/benches/versions/*.cu -ldl -o "$library.new"
    mv "$library.new" "$library"
fi

export LD_LIBRARY_PATH=$folder${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH} XIELU_REQUIRE=${XIELU_REQUIRE:+$XIELU_REQUIRE,}cuda,cuda-2
if [ $# -gt 0 ]; then
    "$@"
    exit
fi
cd "$crate"
# The largest sum is the host twin's alone.
XIELU_SUM_ELEMENTS=1000000 \
    cargo test -p xielu-kernels-cuda --features host-twin,capi --no-fail-fast
XIELU_PRETENDED_DRIVER=11040 cargo test -p xielu-kernels-cuda --features host-twin,capi \
    --test no_driver -- --ignored an_old_driver
XIELU_PRETENDED_CAPABILITY=70 cargo test -p xielu-kernels-cuda --features host-twin,capi \
    --test no_driver -- --ignored an_old_device
# A device whose tensor cores do not multiply bytes.
XIELU_PRETENDED_CAPABILITY=75 cargo test -p xielu-kernels-cuda --features host-twin,capi \
    --test kernels -- device:: mlp:: products::on_slices
# Its times are pretended too.
XIELU_BENCH_ELEMENTS=50000 cargo bench --profile dev -p xielu-kernels-cuda --bench kernels
