#!/usr/bin/env bash
# Builds the page into a folder that any static server serves: `build.sh [FOLDER]`, by default
# target/web of the repository. Needs Rust's target wasm32-unknown-unknown; a compiler without it
# builds its library: `RUSTC_BOOTSTRAP=1 CARGOFLAGS=-Zbuild-std=std,panic_abort build.sh`.
set -euo pipefail
cd "$(dirname "$0")"
root=../..
target=wasm32-unknown-unknown
folder=$(realpath -m "${1:-$root/target/web}")
CARGO_TARGET_DIR=$(realpath -m "${CARGO_TARGET_DIR:-$root/target/web-build}")
export CARGO_TARGET_DIR
read -ra flags <<< "${CARGOFLAGS:-}"

export CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS="-Ctarget-feature=+simd128 --cfg getrandom_backend=\"wasm_js\""
cargo build -q --locked --release --target $target "${flags[@]}"
mkdir -p "$folder"
cargo run -q --locked -p bundle -- "$CARGO_TARGET_DIR/$target/release/xielu_web.wasm" "$folder"
cp page/* $root/models/tiny-Q8_0.gguf "$folder"
