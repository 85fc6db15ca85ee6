"""Checks that transformers loads an exported model and measures the perplexity that xielu does.

    pip install torch transformers
    python tests/python/transformers_check.py MODEL_DIR TEXT [--window N] [--xielu PATH]

Every window of N tokens is scored from its second half (as `xielu perplexity` does it) and from
its start (`--from-start`). Exits with 1 if a weight was missing or the numbers differ in the
fourth digit.
"""

import argparse
import math
import re
import subprocess
import sys

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer


def transformers_nll(model, ids, window):
    """Mean nll over the second halves of the windows, and over all of them."""
    halves, wholes = [], []
    for start in range(0, len(ids) - window + 1, window):
        row = torch.tensor([ids[start : start + window]])
        with torch.no_grad():
            logits = model(row).logits[0, :-1].double()
        nll = torch.nn.functional.cross_entropy(logits, row[0, 1:], reduction="none")
        halves.append(nll[window // 2 :])
        wholes.append(nll)
    return torch.cat(halves).mean().item(), torch.cat(wholes).mean().item()


def xielu_perplexity(binary, model, text, window, *more):
    command = [binary, "perplexity", model, "--text", text, "--window", str(window)]
    command += ["--kv-type", "f32", *more]
    out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return float(re.match(r"perplexity ([0-9.]+)", out).group(1))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("text")
    parser.add_argument("--window", type=int, default=256)
    parser.add_argument("--xielu", default="target/release/xielu")
    args = parser.parse_args()

    model, info = AutoModelForCausalLM.from_pretrained(
        args.model, dtype=torch.float32, output_loading_info=True
    )
    faults = {key: found for key, found in info.items() if found and key != "conversion_errors"}
    print(f"{type(model).__name__}, {sum(p.numel() for p in model.parameters()):,} parameters")
    tokenizer = AutoTokenizer.from_pretrained(args.model)
    with open(args.text, encoding="utf-8", newline="") as file:
        ids = tokenizer(file.read(), add_special_tokens=False)["input_ids"]
    half, whole = transformers_nll(model.eval(), ids, args.window)
    fails = bool(faults)
    if faults:
        print(f"tensors that do not fit: {faults}")
    for name, nll, more in [("second halves", half, []), ("all", whole, ["--from-start"])]:
        theirs = math.exp(nll)
        ours = xielu_perplexity(args.xielu, args.model, args.text, args.window, *more)
        differs = f"{theirs:.4g}" != f"{ours:.4g}" and abs(theirs / ours - 1) > 5e-5
        fails |= differs
        print(f"{name}: transformers {theirs:.5f}, xielu {ours:.5f}", "DIFFERS" if differs else "")
    sys.exit(fails)


if __name__ == "__main__":
    main()
