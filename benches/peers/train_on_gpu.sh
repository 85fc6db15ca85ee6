#!/usr/bin/env bash
# The comparison at 110M parameters, on a machine with a GPU: training steps beside PyTorch's under
# torch.compile for each activation, then the four activations trained at equal parameters.
#
#   benches/peers/train_on_gpu.sh OUT DATA VALIDATION [ARGUMENTS OF xielu compare...]
#
# OUT becomes the directory of the comparison; DATA and VALIDATION are texts. A run sees 2e9
# tokens: hours for each activation and seed; `--steps 500 --seeds 0` is a short one. The same
# command goes on where it was broken off.
#
# Needs NVIDIA's driver, cargo, a C++ compiler and Python with PyTorch (its part is left out where
# there is none). CUDA's compiler and libraries are those of CUDA_HOME, of nvcc on the PATH, or
# else wheels from PyPI in target/cuda-tools; nothing is installed outside of target/.
#
# XIELU_GPU_SEQUENCES (default 8): sequences of 1024 tokens at a time; a step always sees 256.
# XIELU_PEAK_TFLOPS: the device's speed in bf16, if its name is not known.
set -euo pipefail
cd "$(dirname "$0")/../.."

[ $# -ge 3 ] || { sed -n '2,/^set/p' "$0" | sed '$d; s/^# \?//'; exit 2; }
out=$1 data=$2 validation=$3
shift 3
sequences=${XIELU_GPU_SEQUENCES:-8}
peak=()
[ -z "${XIELU_PEAK_TFLOPS:-}" ] || peak=(--peak-tflops "$XIELU_PEAK_TFLOPS")
[ $((256 % sequences)) -eq 0 ] || { echo "XIELU_GPU_SEQUENCES must divide 256" >&2; exit 2; }

nvidia-smi --query-gpu=name,driver_version,compute_cap,memory.total --format=csv \
    || { echo 'nvidia-smi finds no device' >&2; exit 1; }
. benches/peers/cuda_home.sh

features=cli,train,cuda,candle-core/cuda
# A target directory of its own: the flag is another for all crates.
export CARGO_TARGET_DIR=target/train-cuda RUSTFLAGS="${RUSTFLAGS:-} --cfg xielu_train_cuda"
cargo build --release --features $features --bin xielu --example train_step
built=$CARGO_TARGET_DIR/release

# On this device, gradients are the CPU's.
XIELU_REQUIRE=cuda cargo test --release --features $features --lib -- train::ops::activation
XIELU_REQUIRE=cuda cargo test --release --features $features --test train cuda::

if python3 -c 'import torch; assert torch.cuda.is_available()' 2>/dev/null; then
    for activation in xielu xiprelu relu2 swiglu; do
        printf '\n%s, %s x 1024 tokens a step:\n' $activation "$sequences"
        python3 benches/peers/train_torch.py --activation $activation --preset 100m \
            --device cuda --compile --dtype bf16 --sequences "$sequences" --steps 20 \
            --ours "$built/examples/train_step" "${peak[@]}"
    done
else
    echo 'no PyTorch with CUDA: steps are not compared'
fi

"$built/xielu" compare --preset 100m --device cuda --data "$data" --validation "$validation" \
    --out "$out" --set batch.sequences="$sequences" \
    --set batch.accumulation=$((256 / sequences)) "${peak[@]}" "$@"
