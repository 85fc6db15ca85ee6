#!/usr/bin/env bash
# What the bundled models lose to smaller types, and what flash they take: a table of
# docs/EMBEDDED.md. Needs the command (`cargo install --path . --features cli`), or XIELU names it.
set -euo pipefail
cd "$(dirname "$0")/../.."
xielu=${XIELU:-xielu}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Name and options of `xielu quantize`.
recipes=(
    'Q8_0|--type q8_0'
    'MLP in Q4_0, the rest Q8_0|--type q8_0 --mlp q4_0'
    'MLP up in Q4_0, the rest Q8_0|--type q8_0 --up q4_0'
    'embedding and head in Q8_0, the rest Q4_0|--type q4_0 --embeddings q8_0 --output-type q8_0'
    'Q4_0|--type q4_0 --embeddings q4_0 --output-type q4_0'
)
echo '| model | recipe | file | perplexity | bits per byte |'
echo '|---|---|---|---|---|'
for model in tiny micro; do
    for recipe in "${recipes[@]}"; do
        file=$work/$model.gguf
        rm -f "$file"
        # shellcheck disable=SC2086
        "$xielu" quantize "models/$model-Q8_0.gguf" "$file" ${recipe#*|} > "$work/log" 2>&1
        "$xielu" perplexity "$file" --text models/heldout.txt --json > "$work/result"
        loss=$(sed -n 's/^ *"loss": \([0-9.]*\),*$/\1/p' "$work/result")
        perplexity=$(sed -n 's/^ *"perplexity": \([0-9.]*\),*$/\1/p' "$work/result")
        # 8192 tokens are the whole text, with either model's vocabulary.
        bits=$(awk -v l="$loss" -v bytes="$(stat -c %s models/heldout.txt)" \
            'BEGIN { printf "%.3f", l / log(2) * 8192 / bytes }')
        awk -v name="$model" -v recipe="${recipe%%|*}" -v p="$perplexity" -v b="$bits" \
            -v size="$(stat -c %s "$file")" \
            'BEGIN { printf "| %s | %s | %.1f KiB | %.3f | %s |\n", name, recipe, size / 1024, p, b }'
    done
done
