#!/usr/bin/env python3
"""Times a training step beside PyTorch's on the same model, and prints the ratio.

    cargo build --release --features train --example train_step
    benches/peers/train_torch.py [--activation xielu|xiprelu|relu2|swiglu] [--threads N]
                                 [--rounds N] [--steps N]
    benches/peers/train_torch.py --preset 100m --device cuda --compile --dtype bf16 --sequences 8

The model is a preset of src/train/presets; `tiny` when not given: a Llama of 4 layers, hidden 128,
FFN 672 (SwiGLU 448), heads 4/2 of 32, QK-norm, vocabulary 1024; 8 sequences of 256. PyTorch has
its fused AdamW, fused attention and cross entropy; xIELU is composed as transformers does. Eager
in f32 on the CPU unless told otherwise; bf16 is autocast, the weights are f32. `--device cuda`
needs the example built with CUDA (docs/TRAINING.md, `--ours` names it) and computes in bf16 there,
as xielu does. Each round runs both once, one after the other, each in a process of its own; the
first step is left out (under `--compile` the first three). With `--peak-tflops` both lines have
the model FLOP utilisation.
"""

import argparse
import statistics
import subprocess
import sys
import time
import tomllib
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

ROOT = Path(__file__).resolve().parent.parent.parent
OURS = ROOT / "target/release/examples/train_step"


def shape_of(preset, activation, sequences):
    """The sizes in a preset, with the FFN width that keeps the number of parameters."""
    path = ROOT / f"src/train/presets/{preset}.toml"
    if not path.exists():
        sys.exit(f"there is no preset {preset}")
    config = tomllib.loads(path.read_text())
    m = config["model"]
    ffn = m["intermediate_size"]
    if activation == "swiglu":
        ffn = (ffn * 2 // 3 + 16) // 32 * 32
    return SimpleNamespace(
        vocab=m["vocab_size"],
        hidden=m["hidden_size"],
        ffn=ffn,
        layers=m["num_layers"],
        heads=m["num_heads"],
        kv_heads=m.get("num_kv_heads", m["num_heads"]),
        head=m.get("head_dim", m["hidden_size"] // m["num_heads"]),
        length=m["context_length"],
        qk_norm=m.get("qk_norm", False),
        tied=m.get("tie_embeddings", False),
        sequences=sequences or config["batch"]["sequences"],
    )


def flops_per_token(s, activation):
    """As `ModelConfig::flops_per_token`."""
    attention = s.hidden * s.head * 2 * (s.heads + s.kv_heads)
    mlp = s.hidden * s.ffn * (3 if activation == "swiglu" else 2)
    matrices = s.layers * (attention + mlp) + s.vocab * s.hidden
    return 6 * matrices + 12 * s.layers * s.heads * s.head * s.length


def model(activation, s):
    import torch
    import torch.nn.functional as F
    from torch import nn

    class Activation(nn.Module):
        def __init__(self):
            super().__init__()
            self.alpha_p = nn.Parameter(torch.tensor([0.2033823]))
            self.alpha_n = nn.Parameter(torch.tensor([-1.0502256]))
            self.register_buffer("beta", torch.tensor(0.5))
            self.register_buffer("eps", torch.tensor(-1e-6))

        def forward(self, x):
            alpha_p = F.softplus(self.alpha_p)
            if activation == "relu2":
                return F.relu(x).square()
            if activation == "xiprelu":
                alpha = torch.where(x > 0, alpha_p, F.softplus(self.alpha_n))
                return alpha * x * x + self.beta * x
            alpha_n = self.beta + F.softplus(self.alpha_n)
            return torch.where(
                x > 0,
                alpha_p * x * x + self.beta * x,
                (torch.expm1(torch.min(x, self.eps)) - x) * alpha_n + self.beta * x,
            )

    def linear(inputs, outputs):
        return nn.Linear(inputs, outputs, bias=False)

    class Mlp(nn.Module):
        def __init__(self):
            super().__init__()
            self.gated = activation == "swiglu"
            self.up, self.down = linear(s.hidden, s.ffn), linear(s.ffn, s.hidden)
            if self.gated:
                self.gate = linear(s.hidden, s.ffn)
            else:
                self.act = Activation()

        def forward(self, x):
            if self.gated:
                return self.down(F.silu(self.gate(x)) * self.up(x))
            return self.down(self.act(self.up(x)))

    class Attention(nn.Module):
        def __init__(self):
            super().__init__()
            queries, keys = s.heads * s.head, s.kv_heads * s.head
            self.q, self.o = linear(s.hidden, queries), linear(queries, s.hidden)
            self.k, self.v = linear(s.hidden, keys), linear(s.hidden, keys)
            norm = (lambda: nn.RMSNorm(s.head, eps=1e-5)) if s.qk_norm else nn.Identity
            self.q_norm, self.k_norm = norm(), norm()

        def forward(self, x, cos, sin):
            batch, length, _ = x.shape

            def heads(y, count):
                return y.view(batch, length, count, s.head).transpose(1, 2)

            def rotated(y):
                low, high = y.chunk(2, dim=-1)
                return y * cos + torch.cat((-high, low), dim=-1) * sin

            q = rotated(self.q_norm(heads(self.q(x), s.heads)))
            k = rotated(self.k_norm(heads(self.k(x), s.kv_heads)))
            v = heads(self.v(x), s.kv_heads)
            y = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
            return self.o(y.transpose(1, 2).reshape(batch, length, s.heads * s.head))

    class Layer(nn.Module):
        def __init__(self):
            super().__init__()
            self.attention, self.mlp = Attention(), Mlp()
            self.before_attention = nn.RMSNorm(s.hidden, eps=1e-5)
            self.before_mlp = nn.RMSNorm(s.hidden, eps=1e-5)

        def forward(self, x, cos, sin):
            x = x + self.attention(self.before_attention(x), cos, sin)
            return x + self.mlp(self.before_mlp(x))

    class Llama(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding = nn.Embedding(s.vocab, s.hidden)
            self.layers = nn.ModuleList(Layer() for _ in range(s.layers))
            self.norm, self.head = nn.RMSNorm(s.hidden, eps=1e-5), linear(s.hidden, s.vocab)
            if s.tied:
                self.head.weight = self.embedding.weight
            angles = torch.outer(
                torch.arange(s.length), 5e5 ** (-torch.arange(0, s.head, 2) / s.head)
            ).repeat(1, 2)
            self.register_buffer("cos", angles.cos())
            self.register_buffer("sin", angles.sin())
            for p in self.parameters():
                if p.dim() == 2:
                    nn.init.normal_(p, std=0.02)

        def forward(self, ids, targets):
            x = self.embedding(ids)
            for layer in self.layers:
                x = layer(x, self.cos, self.sin)
            logits = self.head(self.norm(x))
            return F.cross_entropy(logits.view(-1, s.vocab), targets.view(-1))

    return Llama()


def train(a):
    """Prints PyTorch's tokens a second for each step."""
    import torch

    torch.set_num_threads(a.threads)
    torch.set_float32_matmul_precision("high")
    torch.manual_seed(1)
    s = shape_of(a.preset, a.activation, a.sequences)
    net = model(a.activation, s).to(a.device)
    run = torch.compile(net) if a.compile else net
    half = a.dtype == "bf16"
    optimizer = torch.optim.AdamW(net.parameters(), lr=3e-3, betas=(0.9, 0.95), fused=True)
    left_out = 3 if a.compile else 1
    for step in range(a.steps + left_out):
        ids, targets = torch.randint(s.vocab, (2, s.sequences, s.length))
        start = time.perf_counter()
        ids, targets = ids.to(a.device), targets.to(a.device)
        with torch.autocast(a.device, torch.bfloat16) if half else nullcontext():
            loss = run(ids, targets)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        # Waits for all of it.
        loss.item()
        if a.device == "cuda":
            torch.cuda.synchronize()
        if step >= left_out:
            print(f"{s.sequences * s.length / (time.perf_counter() - start):.1f}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    activations = ["xielu", "xiprelu", "relu2", "swiglu"]
    parser.add_argument("--activation", choices=activations, default="xielu")
    parser.add_argument("--preset", default="tiny")
    parser.add_argument("--sequences", type=int, help="of a step; the preset's when not given")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--compile", action="store_true", help="PyTorch under torch.compile")
    parser.add_argument("--dtype", choices=["f32", "bf16"], default="f32", help="PyTorch's")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--peak-tflops", type=float, help="of the device, for the utilisation")
    parser.add_argument("--ours", type=Path, default=OURS, help="the example train_step")
    parser.add_argument("--torch-only", action="store_true", help="one run, a line a step")
    a = parser.parse_args()
    if a.torch_only:
        return train(a)
    if not a.ours.exists():
        sys.exit("build it first: cargo build --release --features train --example train_step")
    s = shape_of(a.preset, a.activation, a.sequences)
    ours = [a.activation, a.threads, a.steps, a.preset, a.device, s.sequences]
    options = ["activation", "preset", "device", "dtype", "threads", "steps"]
    theirs = [f"--{name}={getattr(a, name)}" for name in options]
    theirs += [f"--sequences={s.sequences}"] + ["--compile"] * a.compile
    commands = {
        "xielu": [a.ours, *map(str, ours)],
        "PyTorch": [sys.executable, __file__, "--torch-only", *theirs],
    }
    speeds = {name: [] for name in commands}
    for _ in range(a.rounds):
        for name, command in commands.items():
            lines = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
            speeds[name] += [float(line) for line in lines.split()]
    medians = {name: statistics.median(values) for name, values in speeds.items()}
    for name, median in medians.items():
        lowest, highest = min(speeds[name]), max(speeds[name])
        used = ""
        if a.peak_tflops:
            part = flops_per_token(s, a.activation) * median / (a.peak_tflops * 1e12)
            used = f"   MFU {100 * part:.1f} %"
        print(f"{name:8} {median:8.0f} tokens/s   ({lowest:.0f} .. {highest:.0f}){used}")
    print(f"xielu / PyTorch: {medians['xielu'] / medians['PyTorch']:.2f}")


if __name__ == "__main__":
    main()
