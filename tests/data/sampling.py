#!/usr/bin/env python3
"""Writes sampling.json: what transformers' logits processors and warpers make of logits.

Needs torch and transformers 5. They run in the order of `GenerationMixin._get_logits_processor`.
Every case is computed in f32, as models are sampled, and in f64; it is kept only if both leave the
same tokens, so that no case hangs on the rounding of a sum.

"logits" are rows of f32. A case has the row, the tokens so far ("before"), the settings that are
not neutral, "changed": the logits after bias and penalty, of the tokens whose logit changed (null is
minus infinity), and "kept": the tokens that can be drawn, with their probabilities.
"""
import itertools, json, os

os.environ["TRANSFORMERS_VERBOSITY"] = "critical"
import torch
from transformers.generation import logits_process as lp

HERE = os.path.dirname(os.path.abspath(__file__))
VOCABULARY = 40
torch.manual_seed(11)
spread = torch.tensor([0.3, 1.0, 2.0, 4.0, 8.0]).repeat_interleave(2)
rows = torch.randn(10, VOCABULARY) * spread[:, None]
# Fewer digits in the file, and no two equal: TopPLogitsWarper leaves one of equals, we leave all.
rows = torch.round(rows * 1024) / 1024 + torch.arange(VOCABULARY) * 2.0**-16
assert all(len(set(row)) == VOCABULARY for row in rows.tolist())
cases = []


def processors(settings):
    bias = settings.get("bias")
    if bias:
        yield lp.SequenceBiasLogitsProcessor(sequence_bias={(i,): v for i, v in bias})
    if "repetition" in settings:
        yield lp.RepetitionPenaltyLogitsProcessor(penalty=settings["repetition"])


def warpers(settings):
    if "temperature" in settings:
        yield lp.TemperatureLogitsWarper(settings["temperature"])
    if "top_k" in settings:
        yield lp.TopKLogitsWarper(top_k=settings["top_k"])
    if "top_p" in settings:
        yield lp.TopPLogitsWarper(top_p=settings["top_p"])
    if "min_p" in settings:
        yield lp.MinPLogitsWarper(min_p=settings["min_p"])
    if "typical_p" in settings:
        yield lp.TypicalLogitsWarper(mass=settings["typical_p"])


def run(row, before, settings, dtype):
    scores = rows[row : row + 1].to(dtype)
    ids = torch.tensor([before], dtype=torch.long)
    for step in processors(settings):
        scores = step(ids, scores)
    processed = scores.clone()
    for step in warpers(settings):
        scores = step(ids, scores)
    return processed[0], scores[0]


def case(row, before, **settings):
    processed, scores = run(row, before, settings, torch.float32)
    _, exact = run(row, before, settings, torch.float64)
    kept = torch.isfinite(scores).nonzero().flatten().tolist()
    if kept != torch.isfinite(exact).nonzero().flatten().tolist():
        return
    probabilities = torch.softmax(exact, 0)
    changed = (processed != rows[row]).nonzero().flatten().tolist()
    number = lambda v: None if v == float("-inf") else float(v)
    infinite = lambda bias: [[i, number(v)] for i, v in bias]
    if "bias" in settings:
        settings["bias"] = infinite(settings["bias"])
    cases.append(dict(
        row=row, before=before, **settings,
        changed=[[i, number(processed[i])] for i in changed],
        kept=[[i, float(f"{probabilities[i]:.7g}")] for i in kept],
    ))


BEFORE = [3, 3, 17, 0, 39, 5, 3, 21, 8, 17]
BIAS = [[0, 1.5], [7, -2.25], [11, float("-inf")], [39, 4.0]]
for row in range(10):
    for name, values in {
        "temperature": [0.5, 1.75], "top_k": [1, 3, 20], "top_p": [0.1, 0.5, 0.92, 0.999],
        "min_p": [0.02, 0.2, 0.9], "typical_p": [0.05, 0.3, 0.7, 0.95],
    }.items():
        for value in values:
            case(row, BEFORE, **{name: value})
    for repetition in [1.1, 1.6, 0.75]:
        case(row, BEFORE, repetition=repetition)
    case(row, BEFORE, bias=BIAS)
    case(row, BEFORE, bias=BIAS, repetition=1.3)
    # All of them together, two at a time and in a row.
    for a, b in itertools.combinations(
        [("top_k", 12), ("top_p", 0.85), ("min_p", 0.05), ("typical_p", 0.6)], 2
    ):
        case(row, BEFORE, **dict([a, b]), temperature=1.4)
    case(row, BEFORE, bias=BIAS, repetition=1.2, temperature=0.8, top_k=25, top_p=0.97,
         min_p=0.01, typical_p=0.9)

with open(os.path.join(HERE, "sampling.json"), "w", encoding="utf-8") as file:
    lines = lambda items: ",\n".join(json.dumps(item) for item in items)
    file.write('{"logits": [\n%s\n],\n"cases": [\n%s\n]}\n' % (lines(rows.tolist()), lines(cases)))
print(len(cases), "cases")
