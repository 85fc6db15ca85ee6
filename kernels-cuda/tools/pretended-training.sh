#!/usr/bin/env bash
# Runs the tests of training's activations on the pretended driver (`pretended.sh`), through
# candle's CUDA backend: memory, streams and launches of ours, none of candle's own kernels.
#
#   tools/pretended-training.sh
#
# Needs CUDA's compiler (`benches/peers/cuda_home.sh` gets it) and ten minutes when candle's
# kernels are not built yet; no device and no driver.
set -euo pipefail
crate=$(cd "$(dirname "$0")/.." && pwd)
cd "$crate/.."
. benches/peers/cuda_home.sh

export CARGO_TARGET_DIR=$PWD/target/train-cuda RUSTFLAGS="${RUSTFLAGS:-} --cfg xielu_train_cuda"
export CUDA_COMPUTE_CAP=${CUDA_COMPUTE_CAP:-80}
libraries=$CARGO_TARGET_DIR/pretended
mkdir -p "$libraries"
shared() { g++ -std=c++17 -O2 -shared -fPIC -Wall -Wextra -x c++ "$1" -o "$libraries/$2"; }
shared "$crate/tests/pretended/libraries.cpp" libraries.so
# For the linker only.
shared /dev/null libcuda.so

program=$(cargo rustc --profile test --lib --features cli,train,cuda,candle-core/cuda \
    --message-format json -- -C relro-level=off \
    -C link-arg=-Wl,--unresolved-symbols=ignore-all -C link-arg="-L$libraries" \
    | grep -o '"executable":"[^"]*"' | cut -d'"' -f4)
# The driver's functions that nothing pretends: found when the program starts, failing when called.
nm -D --undefined-only "$program" | awk '$NF ~ /^(cu|nvrtc|__cuda)[A-Za-z0-9_]*$/ {
        print "extern \"C\" int " $NF "() { return 801; }"
    }' > "$libraries/rest.cpp"
shared "$libraries/rest.cpp" rest.so
"$crate/tools/pretended.sh" \
    env LD_PRELOAD="libcuda.so $libraries/libraries.so $libraries/rest.so" \
    "$program" train::ops::activation --nocapture
