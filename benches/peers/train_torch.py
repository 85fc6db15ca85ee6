#!/usr/bin/env python3
"""Times a training step beside PyTorch's, eager, on the same model, and prints the ratio.

    cargo build --release --features train --example train_step
    benches/peers/train_torch.py [--activation xielu|xiprelu|relu2|swiglu] [--threads N]
                                 [--rounds N] [--steps N]

The model is the preset `tiny`: a Llama of 4 layers, hidden 128, FFN 672 (SwiGLU 448), heads 4/2 of
32, QK-norm, vocabulary 1024; 8 sequences of 256 in f32. PyTorch has its fused
AdamW, fused attention and cross entropy; xIELU is composed as transformers does. Each round runs
both once, one after the other, each in a process of its own; the first step is left out.
"""

import argparse
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
OURS = ROOT / "target/release/examples/train_step"
VOCAB, HIDDEN, FFN, LAYERS, HEADS, KV_HEADS, HEAD = 1024, 128, 672, 4, 4, 2, 32
SEQUENCES, LENGTH = 8, 256


def model(activation):
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
            ffn = FFN * 2 // 3 if self.gated else FFN
            self.up, self.down = linear(HIDDEN, ffn), linear(ffn, HIDDEN)
            if self.gated:
                self.gate = linear(HIDDEN, ffn)
            else:
                self.act = Activation()

        def forward(self, x):
            if self.gated:
                return self.down(F.silu(self.gate(x)) * self.up(x))
            return self.down(self.act(self.up(x)))

    class Attention(nn.Module):
        def __init__(self):
            super().__init__()
            self.q, self.o = linear(HIDDEN, HEADS * HEAD), linear(HEADS * HEAD, HIDDEN)
            self.k, self.v = linear(HIDDEN, KV_HEADS * HEAD), linear(HIDDEN, KV_HEADS * HEAD)
            self.q_norm, self.k_norm = nn.RMSNorm(HEAD, eps=1e-5), nn.RMSNorm(HEAD, eps=1e-5)

        def forward(self, x, cos, sin):
            batch, length, _ = x.shape

            def heads(y, count):
                return y.view(batch, length, count, HEAD).transpose(1, 2)

            def rotated(y):
                low, high = y.chunk(2, dim=-1)
                return y * cos + torch.cat((-high, low), dim=-1) * sin

            q = rotated(self.q_norm(heads(self.q(x), HEADS)))
            k = rotated(self.k_norm(heads(self.k(x), KV_HEADS)))
            v = heads(self.v(x), KV_HEADS)
            y = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
            return self.o(y.transpose(1, 2).reshape(batch, length, HEADS * HEAD))

    class Layer(nn.Module):
        def __init__(self):
            super().__init__()
            self.attention, self.mlp = Attention(), Mlp()
            self.before_attention = nn.RMSNorm(HIDDEN, eps=1e-5)
            self.before_mlp = nn.RMSNorm(HIDDEN, eps=1e-5)

        def forward(self, x, cos, sin):
            x = x + self.attention(self.before_attention(x), cos, sin)
            return x + self.mlp(self.before_mlp(x))

    class Llama(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding = nn.Embedding(VOCAB, HIDDEN)
            self.layers = nn.ModuleList(Layer() for _ in range(LAYERS))
            self.norm, self.head = nn.RMSNorm(HIDDEN, eps=1e-5), linear(HIDDEN, VOCAB)
            angles = torch.outer(
                torch.arange(LENGTH), 5e5 ** (-torch.arange(0, HEAD, 2) / HEAD)
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
            return F.cross_entropy(logits.view(-1, VOCAB), targets.view(-1))

    return Llama()


def train(activation, threads, steps):
    """Prints PyTorch's tokens a second for each step."""
    import torch

    torch.set_num_threads(threads)
    torch.manual_seed(1)
    net = model(activation)
    optimizer = torch.optim.AdamW(net.parameters(), lr=3e-3, betas=(0.9, 0.95), fused=True)
    for step in range(steps + 1):
        ids, targets = torch.randint(VOCAB, (2, SEQUENCES, LENGTH))
        start = time.perf_counter()
        loss = net(ids, targets)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        loss.item()
        if step:
            print(f"{SEQUENCES * LENGTH / (time.perf_counter() - start):.1f}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--activation", default="xielu")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--torch-only", action="store_true", help="one run, a line a step")
    a = parser.parse_args()
    if a.torch_only:
        return train(a.activation, a.threads, a.steps)
    if not OURS.exists():
        sys.exit("build it first: cargo build --release --features train --example train_step")
    counts = ["--threads", str(a.threads), "--steps", str(a.steps)]
    commands = {
        "xielu": [OURS, a.activation, str(a.threads), str(a.steps)],
        "PyTorch": [
            sys.executable, __file__, "--torch-only", "--activation", a.activation, *counts
        ],
    }
    speeds = {name: [] for name in commands}
    for _ in range(a.rounds):
        for name, command in commands.items():
            lines = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
            speeds[name] += [float(line) for line in lines.split()]
    medians = {name: statistics.median(values) for name, values in speeds.items()}
    for name, median in medians.items():
        lowest, highest = min(speeds[name]), max(speeds[name])
        print(f"{name:8} {median:8.0f} tokens/s   ({lowest:.0f} .. {highest:.0f})")
    print(f"xielu / PyTorch: {medians['xielu'] / medians['PyTorch']:.2f}")


if __name__ == "__main__":
    main()
