#!/usr/bin/env bash
# benches/peers/cmsis_nn.sh DIR: CMSIS-NN's int8 fully connected layer on an emulated Cortex-M4F, from
# a checkout of its sources (https://github.com/ARM-software/CMSIS-NN) in DIR. Prints the
# instructions per multiply-accumulate and the code's size. What this library takes on the same board
# for the same shape is printed by examples/cortex-m/check.sh.
#
# Needs arm-none-eabi-gcc with newlib, and qemu-system-arm.
set -euo pipefail
source=$(realpath "${1:?the folder with the sources of CMSIS-NN}")
cd "$(dirname "$0")"
bare=../../examples/c/bare
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cpu=(-mcpu=cortex-m4 -mthumb -mfloat-abi=hard -mfpu=fpv4-sp-d16)
files=(FullyConnectedFunctions/arm_fully_connected_s8 NNSupportFunctions/arm_nn_vec_mat_mult_t_s8)

echo '| CMSIS-NN | instructions per multiply-accumulate | bytes of code |'
echo '|---|---|---|'
for level in -Os -O2 -O3 -Ofast; do
    objects=()
    for file in "${files[@]}"; do
        arm-none-eabi-gcc "${cpu[@]}" $level -std=c99 -I"$source/Include" -c "$source/Source/$file.c" \
            -o "$work/${file##*/}.o"
        objects+=("$work/${file##*/}.o")
    done
    code=$(arm-none-eabi-size "${objects[@]}" | awk 'NR > 1 { sum += $1 } END { print sum }')
    arm-none-eabi-gcc "${cpu[@]}" -O2 -std=c99 -I"$source/Include" cmsis_nn/main.c "$bare/startup.c" \
        "${objects[@]}" --specs=rdimon.specs -nostartfiles -T "$bare/mps2-an386.ld" \
        -o "$work/bench.elf"
    count=$(qemu-system-arm -M mps2-an386 -nographic -icount shift=0 \
        -semihosting-config enable=on,target=native -kernel "$work/bench.elf" < /dev/null)
    echo "| $level | $count | $code |"
done
