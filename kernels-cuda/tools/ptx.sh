#!/usr/bin/env bash
# Makes ptx/ from cuda/, and the PTX of benches/versions/, with a pinned compiler, or checks it.
#
#   tools/ptx.sh TOOLS            writes the PTX
#   tools/ptx.sh TOOLS --check    writes nothing; fails where the PTX differs from what would be
#                                 written, and where an architecture has spills or local memory
#   tools/ptx.sh TOOLS --all      the same for the architectures between those of --check too
#
# TOOLS is the folder of the compiler: it is installed there from PyPI (270 MB) if it is missing.
set -euo pipefail
tools=$(realpath -m "${1:?usage: tools/ptx.sh TOOLS [--check|--all]}")
cd "$(dirname "$0")/.."

mode=${2:-write}
# What the PTX runs on: compute capability 7.5 and later, or what a source names in a line
# "// target: compute_80".
baseline=compute_75
# The PTX version that drivers must know. The compiler writes its own; nothing newer than CUDA
# 11.0's is used, and the assembler refuses an instruction that the version does not have.
version=7.0
architectures='75 80 90 100'
[ "$mode" != --all ] || architectures='75 80 86 87 89 90 100 120'

pins='nvidia-cuda-nvcc==13.0.88 nvidia-nvvm==13.0.88 nvidia-cuda-crt==13.0.88
      nvidia-cuda-runtime==13.0.96 nvidia-cuda-cccl==13.0.85'

nvcc=$tools/nvidia/cu13/bin/nvcc
if [ ! -x "$nvcc" ]; then
    # shellcheck disable=SC2086
    python3 -m pip install --quiet --no-deps --target "$tools" $pins
fi
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
mkdir "$out/ptx" "$out/versions"

for source in cuda/*.cu benches/versions/*.cu; do
    case $source in
        cuda/*) ptx=$out/ptx/$(basename "$source" .cu).ptx ;;
        *) ptx=$out/versions/$(basename "$source" .cu).ptx ;;
    esac
    target=$(sed -n 's|^// target: ||p' "$source")
    "$nvcc" -std=c++17 -O3 -fmad=false -arch="${target:-$baseline}" -ptx "$source" -o "$ptx"
    sed -i -e '/^\/\//d' -e "s/^\.version .*/.version $version/" "$ptx"
done

# Assembles every file that the architecture can run as the driver will, printing registers, and
# fails on spills.
assemble() {
    local architecture=$1 ptx target status=0
    for ptx in "$out"/*/*.ptx; do
        target=$(sed -n 's/^\.target sm_//p' "$ptx")
        [ "$target" -le "$architecture" ] || continue
        "${nvcc%nvcc}ptxas" -v -arch="sm_$architecture" "$ptx" -o "$out/cubin.$architecture" 2>&1
    done | awk -v architecture="$architecture" '
        /Compiling entry function/ { split($0, part, "\047"); name = part[2] }
        /bytes stack frame/ { for (i = 1; i < NF; i++) if ($i == "bytes") bytes[++count] = $(i - 1) }
        / Used / {
            for (i = 1; i < NF; i++) if ($(i + 1) ~ /^registers/) registers = $i
            spills = bytes[count - 1] + bytes[count]
            printf "sm_%-4s %-24s %3d registers, %d bytes spilled, %d of stack\n", \
                architecture, name, registers, spills, bytes[count - 2]
            if (spills + bytes[count - 2] > 0) bad = 1
            kernels++
        }
        /error|fatal/ { print; bad = 1 }
        END { exit bad || !kernels }' || status=1
    return $status
}

export -f assemble
export out nvcc
printf '%s\n' $architectures | xargs -P "$(nproc)" -I{} \
    bash -c 'assemble {} || { echo "sm_{}: FAILED"; exit 1; }'

if [ "$mode" != write ]; then
    diff -r "$out/ptx" ptx
    diff -r "$out/versions" benches/versions --exclude '*.cu'
    echo 'the PTX is what the compiler makes of the sources'
else
    mkdir -p ptx
    rm -f ptx/*.ptx benches/versions/*.ptx
    cp "$out"/ptx/*.ptx ptx/
    cp "$out"/versions/*.ptx benches/versions/
    echo "$(cat ptx/*.ptx | wc -c) bytes in ptx/"
fi
