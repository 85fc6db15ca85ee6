#!/usr/bin/env bash
# Builds the firmware for every board, runs it under qemu, and checks:
#   - the log is the snapshot in expected/ (ids, text, self-test), and the ids are this machine's;
#   - two prompts typed on each board's serial line are answered as on this machine;
#   - so are they by the smaller bundled model, whose program takes less than 512 KiB of flash;
#   - a text has the same tokens as on this machine, by either way to look for them;
#   - a session that is too small does not compile, and the compiler says by how much;
#   - with the weights on a device the ids are the same, and (--all) on two cores;
#   - an error of every kind is logged with the text that this machine prints;
#   - products have the bits of this machine's plain kernels;
#   - no allocator, no panic and no core::fmt among its symbols;
#   - RAM and stack are within 96 KiB, and parts of the library within their limits of flash;
#   - a token and a multiply-accumulate of Q8_0 take no more instructions than they did.
# Prints the tables of docs/EMBEDDED.md, with `--all` those of other features and of two cores too;
# `--bless` does that and writes the snapshots anew.
#
# Needs qemu-system-arm and qemu-system-riscv32, defmt-print, and the targets; a compiler without
# them builds their library from source: `RUSTC_BOOTSTRAP=1 CARGOFLAGS=-Zbuild-std=core check.sh`.
set -euo pipefail
cd "$(dirname "$0")"
root=../..
target_dir=$(realpath -m "${CARGO_TARGET_DIR:-$root/target/firmware}")
export CARGO_TARGET_DIR=$target_dir
read -ra flags <<< "${CARGOFLAGS:-}"
decode=${DEFMT_PRINT:-defmt-print}
nm=${NM:-nm}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

boards=(
    'mps2-an385   thumbv7m-none-eabi            qemu-system-arm     Cortex-M3,~no~FPU'
    'mps2-an386   thumbv7em-none-eabihf         qemu-system-arm     Cortex-M4F'
    'mps3-an547   thumbv8m.main-none-eabihf     qemu-system-arm     Cortex-M55'
    'riscv-virt   riscv32imac-unknown-none-elf  qemu-system-riscv32 RV32IMAC,~no~FPU'
)
variants=(
    'mps2-an386   thumbv7em-none-eabihf         qemu-system-arm     Cortex-M4F,~cache~in~Q8_0 kv-q8_0'
    'mps2-an385   thumbv7m-none-eabi            qemu-system-arm     Cortex-M3,~rough~functions micromath'
    'riscv-virt   riscv32imac-unknown-none-elf  qemu-system-riscv32 RV32IMAC,~rough~functions micromath'
)
[ -z "${1:-}" ] || boards+=("${variants[@]}")

# Two cores where qemu has them; where it has one, what two would take is counted.
pairs=(
    'mps2-an386   thumbv7em-none-eabihf         qemu-system-arm     1 Cortex-M4F'
    'riscv-virt   riscv32imac-unknown-none-elf  qemu-system-riscv32 1 RV32IMAC,~no~FPU'
    'mps2-an521   thumbv8m.main-none-eabi       qemu-system-arm     2 Cortex-M33,~no~FPU'
    'riscv-virt   riscv32imac-unknown-none-elf  qemu-system-riscv32 2 RV32IMAC,~no~FPU'
)
[ -n "${1:-}" ] || pairs=()

# Weights on a device.
streams=('mps2-an386   thumbv7em-none-eabihf         qemu-system-arm     Cortex-M4F')
[ -z "${1:-}" ] || streams+=(
    'riscv-virt   riscv32imac-unknown-none-elf  qemu-system-riscv32 RV32IMAC,~no~FPU'
)

# Instructions: the most that a token of the model, and a hundred multiply-accumulates of Q8_0, take.
declare -A token_limit=(
    [mps2-an385]=23300000 [mps2-an386]=2650000 [mps3-an547]=1100000 [riscv-virt]=24000000
)
declare -A product_limit=([mps2-an385]=890 [mps2-an386]=150 [mps3-an547]=30 [riscv-virt]=880)

# What must not be in the firmware.
forbidden='__rust_alloc|__rg_alloc|__rdl_|alloc::|rust_begin_unwind|core::panicking|core::fmt|a_panic'

# run BOARD TARGET QEMU ELF [CORES]: the decoded log. Of two cores each has a thread of its own, and
# no instructions are counted.
run() {
    local machine=$1 counting='-icount shift=0'
    [ "$1" = riscv-virt ] && machine="virt -bios none -smp ${5:-1}"
    [ "${5:-1}" = 1 ] || counting=
    # shellcheck disable=SC2086
    timeout 300 "$3" -M $machine -nographic $counting \
        -semihosting-config enable=on,target=native -kernel "$4" > "$work/$1.defmt" < /dev/null
    local status=$?
    "$decode" -e "$4" --log-format '{s}' < "$work/$1.defmt" > "$work/$1.log"
    return $status
}

# answers BOARD QEMU ELF: what the serial line shows of two prompts, one of them corrected.
typed=$'The `Vec<T>` type is\rA strX\x7fuct\r\x04'
answers() {
    local machine=$1
    [ "$1" = riscv-virt ] && machine='virt -bios none'
    # shellcheck disable=SC2086
    printf %s "$typed" | timeout 300 "$2" -M $machine -nographic -icount shift=0 \
        -semihosting-config enable=on,target=native -kernel "$3" > "$work/$1.answers"
}

# The texts alone: how fast they came differs.
texts() { grep -v ' tokens/s, ' "$1"; }

# prompt_row BOARD ELF MODEL: what a program at a prompt took, its model's bytes apart.
prompt_row() {
    local ram used
    ram=$((0x$(address __ebss "$2") - 0x$(address __sdata "$2")))
    used=$(sed -n 's/.*, \([0-9]*\) bytes of RAM.*/\1/p' "$work/$1.answers" | tail -n 1)
    echo "| $1 | $(kib "$3") | $(kib $(($(flash "$2") - $3))) | $(kib "$ram") | $(kib $((used - ram))) |"
}

# flash ELF: bytes of code and constants.
flash() { "${SIZE:-size}" "$1" | awk 'NR == 2 { print $1 + $2 }'; }

# measured BOARD WHAT: a number of the log.
measured() { sed -n "s/^measured: $2 //p" "$work/$1.log"; }

# within BOARD WHAT LIMIT
within() {
    [ "$(measured "$1" "$2")" -le "$3" ] && return
    echo "$1: $2 $(measured "$1" "$2"), more than $3" >&2
    return 1
}

hundredths() { awk -v n="$1" 'BEGIN { printf "%.2f", n / 100 }'; }

# rate INSTRUCTIONS BYTES MHZ MB: tokens a second at an instruction a cycle and so many MB/s, whichever
# is slower.
rate() {
    awk -v n="$1" -v b="$2" -v mhz="$3" -v mb="$4" \
        'BEGIN { c = n / mhz / 1e6; t = b / mb / 1e6; printf "%.1f", 1 / (c > t ? c : t) }'
}

kib() { awk -v n="$1" 'BEGIN { printf "%.1f KiB", n / 1024 }'; }

# address SYMBOL ELF
address() { "$nm" "$2" | sed -n "s/ . $1\$//p"; }

# Only what was just built: the linker says what is reachable, the symbols what was linked.
symbols() {
    "$nm" -C "$1" > "$work/symbols"
    if grep -E "$forbidden" "$work/symbols"; then
        echo "$1: the symbols above must not be there" >&2
        return 1
    fi
}

# This machine's plain kernels; its others, which nothing here calls, take a minute to compile.
host=$("${RUSTC:-rustc}" -vV | sed -n 's/^host: //p')
for name in host host-products host-messages host-tokenizer; do
    RUSTFLAGS='--cfg xielu_force_scalar' \
        cargo run -q --release --target "$host" --bin "$name" > "$work/$name.log"
done
printf %s "$typed" | RUSTFLAGS='--cfg xielu_force_scalar' \
    cargo run -q --release --target "$host" --bin host-prompt > "$work/host.answers"
printf %s "$typed" | RUSTFLAGS='--cfg xielu_force_scalar' \
    cargo run -q --release --target "$host" --bin host-prompt micro > "$work/micro.answers"
for answers in host micro; do
    [ "$(grep -c ' + 40 tokens, ' "$work/$answers.answers")" = 2 ]
done
rows='' products='' prompts='' cores=''
declare -A flash_of
model=$(stat -c %s "$root/models/tiny-Q8_0.gguf")
for line in "${boards[@]}"; do
    read -r board target qemu cpu features <<< "$line"
    types='Q8_0 F16'
    [ "$features" != kv-q8_0 ] || types='Q8_0 Q8_0_KV'
    XIELU_TYPES=$types cargo build -q --release --target "$target" --bin firmware \
        --features "$features" "${flags[@]}"
    elf=$target_dir/$target/release/firmware
    symbols "$elf"
    run "$board" "$target" "$qemu" "$elf"
    grep -v '^measured: ' "$work/$board.log" > "$work/$board.out"
    [ "${1:-}" = --bless ] && cp "$work/$board.out" "expected/$board.out"
    diff "expected/$board.out" "$work/$board.out"
    diff "$work/host.log" <(grep -vE '^(board|selftest|generated|measured): ' "$work/$board.log")
    within "$board" instructions "${token_limit[$board]}"
    ram=$(measured "$board" ram) stack=$(measured "$board" stack)
    if [ $((ram + stack)) -gt $((96 * 1024)) ]; then
        echo "$board: $ram bytes of static memory and $stack of stack, more than 96 KiB" >&2
        exit 1
    fi
    rows+="| $board | ${cpu//\~/ } | $(kib "$(measured "$board" flash)") | $(kib "$ram") | "
    rows+="$(kib "$stack") | $(measured "$board" instructions) |"$'\n'
    [ -z "$features" ] || continue
    flash_of[$board]=$(measured "$board" flash)
    XIELU_TYPES='Q8_0 Q4_0' cargo build -q --release --target "$target" --bin products "${flags[@]}"
    run "$board" "$target" "$qemu" "$target_dir/$target/release/products"
    diff "$work/host-products.log" <(grep -v '^measured: ' "$work/$board.log")
    within "$board" Q8_0-1024 "${product_limit[$board]}"
    products+="| $board | $(hundredths "$(measured "$board" Q8_0-1024)") | "
    products+="$(hundredths "$(measured "$board" Q4_0-1024)") |"$'\n'
    cargo build -q --release --target "$target" --bin prompt "${flags[@]}"
    elf=$target_dir/$target/release/prompt
    symbols "$elf"
    answers "$board" "$qemu" "$elf"
    diff <(texts "$work/host.answers") <(texts "$work/$board.answers")
    prompts+="$(prompt_row "$board" "$elf" "$model")"$'\n'
    echo "$board: ids, products and answers as on this machine" >&2
done
# The smaller model, for chips with 512 KB.
target=thumbv7em-none-eabihf
cargo build -q --release --target "$target" --bin small "${flags[@]}"
elf=$target_dir/$target/release/small
symbols "$elf"
answers mps2-an386 qemu-system-arm "$elf"
diff <(texts "$work/micro.answers") <(texts "$work/mps2-an386.answers")
if [ "$(flash "$elf")" -gt $((512 * 1024)) ]; then
    echo "small: $(flash "$elf") bytes of flash, more than 512 KiB" >&2
    exit 1
fi
prompts+="$(prompt_row mps2-an386 "$elf" "$(stat -c %s "$root/models/micro-Q8_0.gguf")")"$'\n'
# Tokens, by searching the file and by indexes in memory.
tokenizers=''
for how in 'searched~in~the~file' 'indexes~in~RAM index'; do
    read -r what features <<< "$how"
    cargo build -q --release --target "$target" --bin tokenizer --features "$features" "${flags[@]}"
    run mps2-an386 "$target" qemu-system-arm "$target_dir/$target/release/tokenizer"
    diff "$work/host-tokenizer.log" <(grep -v '^measured: ' "$work/mps2-an386.log")
    XIELU_TYPES='' CARGO_PROFILE_RELEASE_OPT_LEVEL=z cargo build -q --release --target "$target" \
        --bin size-tokenizer --features "$features" "${flags[@]}"
    tokenizers+="| ${what//\~/ } | $(kib "$(flash "$target_dir/$target/release/size-tokenizer")") | "
    tokenizers+="$(kib "$(measured mps2-an386 memory)") | $(measured mps2-an386 cut) | "
    tokenizers+="$(measured mps2-an386 written) |"$'\n'
done
for line in "${pairs[@]}"; do
    read -r board target qemu count cpu <<< "$line"
    cargo build -q --release --target "$target" --bin firmware --no-default-features \
        --features two-cores "${flags[@]}"
    elf=$target_dir/$target/release/firmware
    symbols "$elf"
    run "$board" "$target" "$qemu" "$elf" "$count"
    [ "$(measured "$board" cores)" = "$count" ]
    diff "expected/$board.out" <(grep -v '^measured: ' "$work/$board.log")
    if [ "$count" = 2 ]; then
        echo "$board: ids of two cores as of one; the second's stack: $(measured "$board" second-stack)" >&2
        continue
    fi
    one=$(measured "$board" instructions) spared=$(measured "$board" spared)
    more=$(($(measured "$board" flash) - flash_of[$board]))
    cores+="| $board | ${cpu//\~/ } | $one | $((one - spared)) | "
    cores+="$(hundredths $((100 * one / (one - spared)))) | $(measured "$board" joined) | $(kib $more) |"$'\n'
done
streamed='' rates=''
for line in "${streams[@]}"; do
    read -r board target qemu cpu <<< "$line"
    cargo build -q --release --target "$target" --bin streamed --features streamed "${flags[@]}"
    elf=$target_dir/$target/release/streamed
    symbols "$elf"
    run "$board" "$target" "$qemu" "$elf"
    diff <(grep -vE '^(text: |// |impl<)' "$work/host.log") \
        <(grep -vE '^(board|measured): ' "$work/$board.log")
    instructions=$(measured "$board" instructions) bytes=$(measured "$board" bytes)
    head=$(measured "$board" head)
    streamed+="| $board | ${cpu//\~/ } | $(kib $(($(measured "$board" flash) - head))) | $(kib "$head") | "
    streamed+="$(kib "$(measured "$board" ram)") | $(kib "$(measured "$board" stack)") | "
    streamed+="$instructions | $bytes |"$'\n'
    rates+="| ${cpu//\~/ } | $(rate "$instructions" 0 150 1) |"
    for megabytes in 3.1 25 40 160; do
        rates+=" $(rate "$instructions" "$bytes" 150 $megabytes) |"
    done
    rates+=$'\n'
    echo "$board: ids with the weights on a device as on this machine" >&2
done
# Without the model's type nothing runs, and nothing else happens.
XIELU_TYPES=Q4_0,F16 cargo build -q --release --target thumbv7em-none-eabihf --bin firmware \
    "${flags[@]}"
run mps2-an386 thumbv7em-none-eabihf qemu-system-arm \
    "$target_dir/thumbv7em-none-eabihf/release/firmware" && exit 1
grep -q '^the model does not run: ' "$work/mps2-an386.log"
cat "$work/mps2-an386.log" >&2
# Nor is there firmware whose session is too small.
cargo build -q --release --target thumbv7em-none-eabihf --bin firmware --features too-small \
    "${flags[@]}" 2> "$work/too-small" && exit 1
grep -q 'the model needs .* the session has .*: 1000 too few' "$work/too-small"
cargo build -q --release --target thumbv7em-none-eabihf --bin messages "${flags[@]}"
elf=$target_dir/thumbv7em-none-eabihf/release/messages
symbols "$elf"
run mps2-an386 thumbv7em-none-eabihf qemu-system-arm "$elf"
diff "$work/host-messages.log" "$work/mps2-an386.log"

echo '| board | CPU | flash | static RAM | stack | instructions per token |'
echo '|---|---|---|---|---|---|'
printf '%s' "$rows"
echo
echo '| prompt | model | flash without it | static RAM | stack |'
echo '|---|---|---|---|---|'
printf '%s' "$prompts"
echo
echo '| tokens of a text, Cortex-M4F | flash | RAM | instructions per token | and back to text |'
echo '|---|---|---|---|---|'
printf '%s' "$tokenizers"
echo
if [ -n "$cores" ]; then
    echo '| board | CPU | one core | two cores | ratio | hand-overs | flash more |'
    echo '|---|---|---|---|---|---|---|'
    printf '%s' "$cores"
    echo
fi
echo '| streamed | CPU | flash | head | static RAM | stack | instructions per token | bytes per token |'
echo '|---|---|---|---|---|---|---|---|'
printf '%s' "$streamed"
echo
echo '| tokens/s, arithmetic | compute | SPI, 3.1 MB/s | SD, 25 MB/s | QSPI, 40 MB/s | octal PSRAM, 160 MB/s |'
echo '|---|---|---|---|---|---|'
printf '%s' "$rates"
echo
echo '| instructions per multiply-accumulate | Q8_0 | Q4_0 |'
echo '|---|---|---|'
printf '%s' "$products"
echo
# Programs that do one thing, for the Cortex-M4F: what of the library each of them links.
echo '| Cortex-M4F | types | flash | limit |'
echo '|---|---|---|---|'
parts=(
    'activation 1536  none      xIELU~over~a~slice'
    'mlp        16384 Q8_0      GGUF~reader~and~MLP'
    'decoder    40960 Q8_0,F16  whole~decoder,~any~shape'
    'tokenizer  28672 none      GGUF~reader,~text~to~ids~and~back'
)
for line in "${parts[@]}"; do
    read -r name limit types what <<< "$line"
    XIELU_TYPES=${types#none} CARGO_PROFILE_RELEASE_OPT_LEVEL=z cargo build -q --release --target "$target" --bin "size-$name" "${flags[@]}"
    bytes=$(flash "$target_dir/$target/release/size-$name")
    if [ "$bytes" -gt "$limit" ]; then
        echo "size-$name: $bytes bytes, more than $limit" >&2
        exit 1
    fi
    echo "| ${what//\~/ } | ${types//,/ } | $(kib "$bytes") | $(kib "$limit") |"
done
