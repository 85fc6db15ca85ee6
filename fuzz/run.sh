#!/usr/bin/env bash
# Runs the fuzz targets under the address sanitizer: `fuzz/run.sh SECONDS [TARGET...]`, the time
# divided among the targets. Starts from the committed seeds; what is found new stays in
# fuzz/corpus/ and what fails in fuzz/artifacts/, both ignored by git.
#
# Needs a nightly toolchain (`cargo +nightly`) and a C++ compiler, but not cargo-fuzz.
set -euo pipefail
cd "$(dirname "$0")"
seconds=${1:?usage: fuzz/run.sh SECONDS [TARGET...]}
shift
targets=("$@")
[ ${#targets[@]} -gt 0 ] || targets=(gguf split hf_dir tokenizer)

# What cargo-fuzz passes: coverage for libFuzzer, and the sanitizer. With a target named, the
# flags do not reach build scripts.
host=$(rustc -vV | sed -n 's/^host: //p')
RUSTFLAGS='-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing -Zsanitizer=address' \
    cargo +nightly build --release --target "$host" --target-dir ../target/fuzz-asan

each=$((seconds / ${#targets[@]}))
for target in "${targets[@]}"; do
    mkdir -p "corpus/$target" "artifacts/$target"
    # Inputs of up to 64 KiB; a run may take 2 GiB and 20 seconds.
    log=../target/fuzz-asan/$target.log
    "../target/fuzz-asan/$host/release/$target" "corpus/$target" \
        -artifact_prefix="artifacts/$target/" -max_total_time="$each" -max_len=65536 \
        -timeout=20 -rss_limit_mb=2048 -malloc_limit_mb=1024 -print_final_stats=1 \
        > "$log" 2>&1 || {
        grep -v '^INFO\|NEW' "$log" | tail -n 60
        echo "fuzz target $target failed; the input is in fuzz/artifacts/$target" >&2
        exit 1
    }
    executions=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    echo "$target: $executions executions in $each s, no finding"
done
