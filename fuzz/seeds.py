#!/usr/bin/env python3
"""Writes the seeds of the targets `hf_dir`, `tokenizer` and `split`: small models of every layout.

`python3 fuzz/seeds.py` from anywhere; needs nothing. The seeds of `gguf` come from
`tests/gguf/fuzz_seeds.rs`.
"""
import json
import struct
from pathlib import Path

CORPUS = Path(__file__).parent / "corpus"
HIDDEN, FFN, HEADS, VOCAB = 16, 32, 2, 24


def save(target, name, tree):
    folder = CORPUS / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"seed-{name}").write_text(json.dumps(tree, ensure_ascii=False))


def safetensors(shapes, dtype="BF16", size=2):
    header, end = {"__metadata__": {"format": "pt"}}, 0
    for name, shape in shapes.items():
        count = 1
        for dim in shape:
            count *= dim
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [end, end + count * size]}
        end += count * size
    return header


def decoder(prefix="model.", act="xielu", tied=False, qk_norm=True):
    shapes = {f"{prefix}embed_tokens.weight": [VOCAB, HIDDEN], f"{prefix}norm.weight": [HIDDEN]}
    if not tied:
        shapes["lm_head.weight"] = [VOCAB, HIDDEN]
    layer = f"{prefix}layers.0."
    norms = ["attention_layernorm", "feedforward_layernorm"] if qk_norm else [
        "input_layernorm", "post_attention_layernorm"]
    for norm in norms:
        shapes[f"{layer}{norm}.weight"] = [HIDDEN]
    for part in "qkvo":
        shapes[f"{layer}self_attn.{part}_proj.weight"] = [HIDDEN, HIDDEN]
    if qk_norm:
        shapes[f"{layer}self_attn.q_norm.weight"] = [HIDDEN // HEADS]
        shapes[f"{layer}self_attn.k_norm.weight"] = [HIDDEN // HEADS]
    shapes[f"{layer}mlp.up_proj.weight"] = [FFN, HIDDEN]
    shapes[f"{layer}mlp.down_proj.weight"] = [HIDDEN, FFN]
    if act == "xielu":
        shapes[f"{layer}mlp.act_fn.alpha_p"] = [1]
        shapes[f"{layer}mlp.act_fn.alpha_n"] = [1]
    else:
        shapes[f"{layer}mlp.gate_proj.weight"] = [FFN, HIDDEN]
    return shapes


def config(**more):
    return {
        "architectures": ["ApertusForCausalLM"], "model_type": "apertus", "hidden_act": "xielu",
        "hidden_size": HIDDEN, "intermediate_size": FFN, "num_hidden_layers": 1,
        "num_attention_heads": HEADS, "num_key_value_heads": HEADS, "vocab_size": VOCAB,
        "max_position_embeddings": 64, "rms_norm_eps": 1e-05, "tie_word_embeddings": False,
        "rope_parameters": {
            "rope_type": "llama3", "rope_theta": 500000.0, "factor": 8.0, "low_freq_factor": 1.0,
            "high_freq_factor": 4.0, "original_max_position_embeddings": 64},
        "bos_token_id": 1, "eos_token_id": [2, 3], "pad_token_id": None, "dtype": "bfloat16",
        **more,
    }


def tokenizer(**more):
    letters = ["a", "b", "c", "e", "h", "i", "p", "s", "t", "y", "T", "Ġ", "Ċ", "ab", "th", "the"]
    special = ["<unk>", "<s>", "</s>", "<|im_end|>"]
    added = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False,
             "special": True}
    return {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [{"id": i, "content": text, **added} for i, text in enumerate(special)],
        "normalizer": None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
            {"type": "Split", "pattern": {"Regex": " ?\\p{L}+|\\s+"}, "behavior": "Isolated",
             "invert": False},
            {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True,
             "use_regex": False}]},
        "post_processor": {"type": "TemplateProcessing",
                           "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}},
                                      {"Sequence": {"id": "A", "type_id": 0}}],
                           "pair": [], "special_tokens": {
                               "<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]}}},
        "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True,
                    "use_regex": True},
        "model": {"type": "BPE", "dropout": None, "unk_token": None,
                  "continuing_subword_prefix": None, "end_of_word_suffix": None, "fuse_unk": False,
                  "byte_fallback": False, "ignore_merges": False,
                  "vocab": {text: i for i, text in enumerate(special + letters)},
                  "merges": [["a", "b"], ["t", "h"], ["th", "e"]]},
        **more,
    }


def gguf(pairs, tensors):
    """A GGUF file of f32 zeros: `pairs` are (key, type, packed value), `tensors` name to shape."""
    def text(value):
        return struct.pack("<Q", len(value)) + value.encode()

    out = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(pairs))
    for key, number, value in pairs:
        out += text(key) + struct.pack("<I", number) + value
    offset = 0
    for name, shape in tensors.items():
        dims = shape[::-1]
        out += text(name) + struct.pack(f"<I{len(dims)}QIQ", len(dims), *dims, 0, offset)
        size = 4
        for dim in dims:
            size *= dim
        offset += -(-size // 32) * 32
    return out + bytes(-len(out) % 32 + offset)


def split_model():
    """Two parts of an Apertus, as llama.cpp's tool writes them, each after its length."""
    u32, f32 = lambda v: (4, struct.pack("<I", v)), lambda v: (6, struct.pack("<f", v))
    string = lambda v: (8, struct.pack("<Q", len(v)) + v.encode())
    floats = lambda *v: (9, struct.pack(f"<IQ{len(v)}f", 6, len(v), *v))
    layer = "blk.0."
    first = {"token_embd.weight": [VOCAB, HIDDEN], "output_norm.weight": [HIDDEN],
             "output.weight": [VOCAB, HIDDEN], f"{layer}attn_norm.weight": [HIDDEN],
             f"{layer}ffn_norm.weight": [HIDDEN]}
    second = {f"{layer}attn_{part}.weight": [HIDDEN, HIDDEN] for part in ("q", "k", "v", "output")}
    second |= {f"{layer}attn_{part}_norm.weight": [HIDDEN // HEADS] for part in "qk"}
    second |= {f"{layer}ffn_up.weight": [FFN, HIDDEN], f"{layer}ffn_down.weight": [HIDDEN, FFN]}
    model = {
        "general.architecture": string("apertus"), "apertus.block_count": u32(1),
        "apertus.context_length": u32(64), "apertus.embedding_length": u32(HIDDEN),
        "apertus.feed_forward_length": u32(FFN), "apertus.attention.head_count": u32(HEADS),
        "apertus.attention.head_count_kv": u32(HEADS), "apertus.rope.freq_base": f32(1e4),
        "apertus.attention.layer_norm_rms_epsilon": f32(1e-5), "xielu.alpha_p": floats(0.2),
        "xielu.alpha_n": floats(-1.0), "xielu.beta": floats(0.5), "xielu.eps": floats(-1e-6)}
    out = b""
    for number, tensors in enumerate((first, second)):
        pairs = {"split.no": (2, struct.pack("<H", number)),
                 "split.count": (2, struct.pack("<H", 2)),
                 "split.tensors.count": (5, struct.pack("<i", len(first) + len(second)))}
        pairs |= model if number == 0 else {}
        file = gguf([(key, *value) for key, value in pairs.items()], tensors)
        out += struct.pack("<I", len(file)) + file
    (CORPUS / "split").mkdir(parents=True, exist_ok=True)
    (CORPUS / "split" / "seed-two-parts").write_bytes(out)


def float8(shapes):
    """Projections as 8-bit floats, each with a scale a row."""
    header, end = {}, 0
    for name, shape in shapes.items():
        quantized = "_proj." in name
        parts = [(name, "F8_E4M3" if quantized else "BF16", 1 if quantized else 2, shape)]
        if quantized:
            parts.append((f"{name}_scale", "BF16", 2, [shape[0], 1]))
        for part, dtype, size, dims in parts:
            bytes_ = size
            for dim in dims:
                bytes_ *= dim
            header[part] = {"dtype": dtype, "shape": dims, "data_offsets": [end, end + bytes_]}
            end += bytes_
    return header


def main():
    split_model()
    generation = {"eos_token_id": [2, 3], "temperature": 0.8, "top_p": 0.9, "do_sample": True}
    settings = {"bos_token": "<s>", "eos_token": {"content": "</s>"}, "add_bos_token": True,
                "chat_template": [{"name": "default", "template": "{{ messages }}"}]}
    save("hf_dir", "apertus", {
        "config.json": config(), "generation_config.json": generation,
        "tokenizer.json": tokenizer(), "tokenizer_config.json": settings,
        "model.safetensors": safetensors(decoder())})
    save("hf_dir", "apertus-1.5", {
        "config.json": {"model_type": "apertus1p5", "text_config": config(
            model_type="apertus1p5_text", output_vocab_size=VOCAB)},
        "model.safetensors": safetensors(decoder("model.language_model."))})
    save("hf_dir", "llama-tied-f32", {
        "config.json": config(model_type="llama", hidden_act="silu", tie_word_embeddings=True,
                              rope_parameters=None, rope_theta=10000.0),
        "model.safetensors": safetensors(decoder(act="silu", tied=True, qk_norm=False), "F32", 4)})
    shapes = decoder()
    names = list(shapes)
    first, second = names[:5], names[5:]
    files = {"model-00001-of-00002.safetensors": first, "model-00002-of-00002.safetensors": second}
    save("hf_dir", "sharded", {
        "config.json": config(),
        "model.safetensors.index.json": {"metadata": {}, "weight_map": {
            name: file for file, part in files.items() for name in part}},
        **{file: safetensors({n: shapes[n] for n in part}) for file, part in files.items()}})
    save("hf_dir", "fp8", {
        "config.json": config(quantization_config={
            "quant_method": "compressed-tensors", "format": "float-quantized", "ignore": [
                "lm_head"], "config_groups": {"group_0": {"targets": ["Linear"], "weights": {
                    "num_bits": 8, "type": "float", "strategy": "channel", "symmetric": True}}}}),
        "model.safetensors": float8(decoder())})
    save("tokenizer", "byte-level", tokenizer())
    save("tokenizer", "truncation", tokenizer(
        truncation={"direction": "Right", "max_length": 8, "strategy": "LongestFirst", "stride": 0},
        padding={"strategy": {"Fixed": 8}, "direction": "Left", "pad_to_multiple_of": None,
                 "pad_id": 0, "pad_type_id": 0, "pad_token": "<unk>"}))
    save("tokenizer", "normalizers", tokenizer(normalizer={"type": "Sequence", "normalizers": [
        {"type": "NFC"}, {"type": "Replace", "pattern": {"Regex": " +"}, "content": " "},
        {"type": "Prepend", "prepend": "▁"}, {"type": "Strip", "strip_left": True,
                                             "strip_right": False}]}))
    save("tokenizer", "decoders", tokenizer(decoder={"type": "Sequence", "decoders": [
        {"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"},
        {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0},
        {"type": "WordPiece", "prefix": "##", "cleanup": True}, {"type": "Metaspace",
            "replacement": "▁", "prepend_scheme": "always", "split": True}]}))
    model = tokenizer()["model"]
    save("tokenizer", "models", tokenizer(model={"type": "Unigram", "unk_id": 0, "vocab": [
        ["<unk>", 0.0], ["a", -1.0], ["b", -2.0]], "byte_fallback": False}))
    save("tokenizer", "digits", tokenizer(pre_tokenizer={"type": "Sequence", "pretokenizers": [
        {"type": "Digits", "individual_digits": True}, {"type": "ByteLevel"}]},
        model={**model, "ignore_merges": True, "byte_fallback": True, "unk_token": "<unk>"}))


main()
