#!/usr/bin/env bash
# Runs the tests of the crate on a driver without a device: a library in libcuda's place whose
# launches run the host twins. Everything but the hardware and NVIDIA's own code takes part.
set -euo pipefail
cd "$(dirname "$0")/.."

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
instructions=()
[ "$(uname -m)" != x86_64 ] || instructions=(-mavx2 -mfma)
g++ -std=c++17 -O2 -shared -fPIC -ffp-contract=off -fno-strict-aliasing "${instructions[@]}" \
    -Wall -Wextra -x c++ tests/pretended/libcuda.cpp cuda/*.cu -ldl -o "$folder/libcuda.so"

export LD_LIBRARY_PATH=$folder XIELU_CUDA_REQUIRED=1
cargo test -p xielu-kernels-cuda --features host-twin,capi --no-fail-fast "$@"
XIELU_PRETENDED_DRIVER=11040 cargo test -p xielu-kernels-cuda --features host-twin,capi \
    --test no_driver -- an_old_driver
