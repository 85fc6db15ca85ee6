#!/usr/bin/env python3
"""Writes fp8.safetensors: matrices in FP8 with scales, and what compressed-tensors and
transformers make of them.

Needs torch, compressed-tensors, transformers and safetensors. For each case: CASE.weight
(F8_E4M3, 48 x 64), CASE.scale and CASE.expected, the widened matrix; the header's metadata says
how a configuration names the case.
"""
import json, os

import torch
from compressed_tensors.quantization import QuantizationArgs
from compressed_tensors.quantization.lifecycle.forward import dequantize
from safetensors.torch import save_file
from transformers.integrations.finegrained_fp8 import Fp8Dequantize

ROWS, COLS = 48, 64
torch.manual_seed(1)
tensors, metadata = {}, {}


def weight():
    """Every finite number of the format, in an order of chance."""
    bits = torch.arange(256, dtype=torch.uint8)
    bits = bits[(bits & 0x7F) != 0x7F].repeat(ROWS * COLS // 254 + 1)[: ROWS * COLS]
    return bits[torch.randperm(ROWS * COLS)].reshape(ROWS, COLS).view(torch.float8_e4m3fn)


def scales(shape, dtype):
    return (torch.rand(shape) * 0.02 + 1e-4).to(dtype)


def add(name, w, s, expected, config, suffix="weight_scale"):
    tensors.update({f"{name}.weight": w, f"{name}.scale": s, f"{name}.expected": expected.contiguous()})
    metadata[name] = json.dumps(dict(suffix=suffix, quantization_config=config))


def compressed(name, shape, dtype, **args):
    w, s = weight(), scales(shape, dtype)
    args = dict(num_bits=8, type="float", symmetric=True, **args)
    expected = dequantize(w, s, args=QuantizationArgs(**args))
    group = dict(targets=["Linear"], weights=args, input_activations=dict(
        num_bits=8, type="float", symmetric=True, strategy="token", dynamic=True))
    add(name, w, s, expected, dict(
        quant_method="compressed-tensors", format="float-quantized", quantization_status="compressed",
        config_groups={"group_0": group}, ignore=["lm_head"], kv_cache_scheme=None))


for dtype, short in [(torch.bfloat16, "bf16"), (torch.float16, "f16"), (torch.float32, "f32")]:
    compressed(f"channel_{short}", (ROWS, 1), dtype, strategy="channel")
compressed("tensor", (1,), torch.bfloat16, strategy="tensor")
compressed("group", (ROWS, COLS // 16), torch.bfloat16, strategy="group", group_size=16)
compressed("block", (3, 2), torch.bfloat16, strategy="block", block_structure=[16, 32])


def fp8(name, shape, block, dtype=torch.float32):
    w, s = weight(), scales(shape, dtype)
    expected = Fp8Dequantize(None)._dequantize_one(w, s, torch.bfloat16)
    add(name, w, s, expected, dict(
        quant_method="fp8", activation_scheme="dynamic", weight_block_size=block), "weight_scale_inv")


fp8("fp8_block", (3, 2), [16, 32])
fp8("fp8_tensor", (), None)
# A last block that is cut: as DeepSeek's own kernel has it, and no class of transformers.
w, s = weight(), scales((2, 2), torch.float32)
whole = s.repeat_interleave(32, 0)[:ROWS].repeat_interleave(48, 1)[:, :COLS]
add("fp8_cut", w, s, (w.float() * whole).bfloat16(),
    dict(quant_method="fp8", weight_block_size=[32, 48]), "weight_scale_inv")
w, s = weight(), scales((), torch.float32)
add("modelopt", w, s, (w.float() * s).bfloat16(), dict(quant_method="modelopt", quant_algo="FP8"))
w, s = weight(), scales((ROWS, 1), torch.float32)
add("fbgemm", w, s, (w.float() * s).bfloat16(), dict(quant_method="fbgemm_fp8"))
save_file(tensors, os.path.join(os.path.dirname(os.path.abspath(__file__)), "fp8.safetensors"), metadata)
