# Sourced: sets CUDA_HOME to a CUDA toolkit, or to its parts from PyPI, to build candle with.
# Where there is neither CUDA_HOME nor nvcc, the wheels are put in target/cuda-tools.

if [ -z "${CUDA_HOME:-}" ] && command -v nvcc > /dev/null; then
    CUDA_HOME=$(dirname "$(dirname "$(readlink -f "$(command -v nvcc)")")")
fi
if [ -z "${CUDA_HOME:-}" ]; then
    tools=$PWD/target/cuda-tools
    CUDA_HOME=$tools/nvidia/cu13
    if [ ! -e "$CUDA_HOME/complete" ]; then
        python3 -m pip install --quiet --no-deps --upgrade --target "$tools" \
            nvidia-cuda-nvcc==13.0.88 nvidia-nvvm==13.0.88 nvidia-cuda-crt==13.0.88 \
            nvidia-cuda-runtime==13.0.96 nvidia-cuda-cccl==13.0.85 nvidia-cuda-nvrtc==13.0.88 \
            'nvidia-cublas==13.0.*' 'nvidia-curand==10.4.*'
        # Wheels have the names that programs load, not those that a linker looks for.
        for library in "$CUDA_HOME"/lib/lib*.so.*; do
            ln -sf "$(basename "$library")" "${library%%.so.*}.so"
        done
        # Some drivers are installed without it, too.
        driver=$(ldconfig -p | awk '/libcuda\.so\.1 / { print $NF; exit }')
        [ -z "$driver" ] || ln -sf "$driver" "$CUDA_HOME/lib/libcuda.so"
        touch "$CUDA_HOME/complete"
    fi
    # Programs find them where the linker did.
    export LD_LIBRARY_PATH=$CUDA_HOME/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
fi
export CUDA_HOME PATH=$CUDA_HOME/bin:$PATH NVCC=$CUDA_HOME/bin/nvcc
