#!/usr/bin/env python3
"""Writes hf_configs.json: what transformers makes of config.json in every spelling.

Needs transformers 5 and torch. A case is a configuration and what came of it:
  "expected": the numbers a decoder depends on, RoPE's frequencies among them;
  "error": transformers fails, and so must we, unless "lenient" says why the meaning is clear;
  "refused": transformers runs it, and we say that we do not: the text that the error contains.
"""
import json, os, sys, tempfile, warnings

os.environ["TRANSFORMERS_VERBOSITY"] = "critical"
warnings.simplefilter("ignore")
from transformers import AutoConfig
from transformers.models.apertus.modeling_apertus import ApertusRotaryEmbedding
from transformers.models.apertus1p5.modeling_apertus1p5 import Apertus1p5TextRotaryEmbedding
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding
from transformers.models.qwen3.modeling_qwen3 import Qwen3RotaryEmbedding

ROTARY = {
    "apertus": ApertusRotaryEmbedding,
    "apertus1p5": Apertus1p5TextRotaryEmbedding,
    "apertus1p5_text": Apertus1p5TextRotaryEmbedding,
    "llama": LlamaRotaryEmbedding,
    "qwen3": Qwen3RotaryEmbedding,
}
ABSENT = object()
LLAMA3 = dict(factor=8.0, high_freq_factor=4.0, low_freq_factor=1.0, original_max_position_embeddings=64)
SHAPE = dict(
    vocab_size=1024, hidden_size=128, intermediate_size=672, num_hidden_layers=4,
    num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=256, rms_norm_eps=1e-5,
)
# Of RoPE's frequencies.
SAMPLE = [1, 4, 7, -1]
cases = []


def observe(config, model_type):
    text = config.get_text_config()
    rotary = ROTARY[model_type](text)
    assert rotary.attention_scaling == 1.0
    heads = text.num_attention_heads
    return dict(
        vocab_size=text.vocab_size,
        output_vocab_size=getattr(text, "output_vocab_size", None) or text.vocab_size,
        hidden_size=text.hidden_size,
        intermediate_size=text.intermediate_size,
        num_layers=text.num_hidden_layers,
        num_heads=heads,
        num_kv_heads=text.num_key_value_heads,
        head_dim=getattr(text, "head_dim", None) or text.hidden_size // heads,
        context_length=text.max_position_embeddings,
        rms_norm_eps=text.rms_norm_eps,
        hidden_act=text.hidden_act,
        tied=config.tie_word_embeddings,
        inv_freq=[float(f"{float(rotary.inv_freq[i]):.8g}") for i in SAMPLE],
    )


def case(name, model_type="apertus", whole=None, lenient=None, refused=None, **changes):
    config = whole if whole is not None else dict(SHAPE, model_type=model_type)
    for key, value in changes.items():
        config.pop(key, None)
        if value is not ABSENT:
            config[key] = value
    entry = dict(name=f"{model_type}: {name}", config=config)
    with tempfile.TemporaryDirectory() as d:
        with open(os.path.join(d, "config.json"), "w") as f:
            json.dump(config, f)
        try:
            entry["expected"] = observe(AutoConfig.from_pretrained(d), model_type)
        except Exception as e:
            entry["error"] = type(e).__name__
    if refused:
        entry["refused"] = refused
    if lenient:
        assert "error" in entry, name
        entry["lenient"] = lenient
    cases.append(entry)


for t in ["apertus", "llama", "qwen3", "apertus1p5_text"]:
    llama3 = lambda **more: dict(LLAMA3, **more)
    case("nothing about RoPE", t)
    case("rope_parameters", t, rope_parameters=llama3(rope_type="llama3", rope_theta=5e5))
    case("rope_scaling with rope_type and type", t, rope_theta=5e5,
         rope_scaling=llama3(rope_type="llama3", type="linear"))
    case("rope_scaling with type", t, rope_theta=500000, rope_scaling=llama3(type="llama3"))
    case("rope_scaling over rope_parameters", t, rope_theta=77.0, rope_scaling=llama3(rope_type="linear"),
         rope_parameters=llama3(rope_type="llama3", rope_theta=5e5))
    case("rope_scaling null over rope_parameters", t, rope_theta=77.0, rope_scaling=None,
         rope_parameters=llama3(rope_type="llama3", rope_theta=5e5))
    case("rope_scaling empty", t, rope_theta=77.0, rope_scaling={},
         rope_parameters=llama3(rope_type="llama3", rope_theta=5e5))
    case("rope_theta alone", t, rope_theta=77.0)
    case("rope_theta and rope_scaling null", t, rope_theta=77.0, rope_scaling=None)
    case("both null", t, rope_parameters=None, rope_scaling=None)
    case("rope_parameters empty", t, rope_parameters={})
    case("rope_parameters empty, rope_theta", t, rope_parameters={}, rope_theta=77.0)
    case("no rope_theta anywhere", t, rope_scaling=llama3(rope_type="llama3"))
    case("rope_theta in both", t, rope_theta=77.0, rope_parameters=dict(rope_type="default", rope_theta=99.0))
    case("rope_theta null in the table", t, rope_theta=77.0, rope_parameters=dict(rope_type="default", rope_theta=None))
    case("rope_theta null beside the table", t, rope_theta=None, rope_scaling=llama3(rope_type="llama3"))
    case("rope_type null", t, rope_parameters=dict(rope_type=None, rope_theta=77.0))
    case("rope_type null, type given", t, rope_parameters=llama3(rope_type=None, type="llama3", rope_theta=77.0))
    case("type null", t, rope_parameters=llama3(type=None, rope_theta=77.0))
    case("no type at all", t, rope_parameters=llama3(rope_theta=77.0))
    case("linear", t, rope_parameters=dict(type="linear", factor=4, rope_theta=77))
    case("linear without factor", t, rope_parameters=dict(type="linear", rope_theta=77.0))
    case("llama3 with the context beside the table", t, original_max_position_embeddings=32,
         rope_parameters=llama3(rope_type="llama3", rope_theta=77.0))
    short = {k: v for k, v in LLAMA3.items() if k != "original_max_position_embeddings"}
    case("llama3 without a context", t, rope_parameters=dict(short, rope_type="llama3", rope_theta=77.0))
    case("llama3 with the context null", t,
         rope_parameters=llama3(rope_type="llama3", rope_theta=77.0, original_max_position_embeddings=None))
    case("llama3 with a context of 64.0", t,
         rope_parameters=llama3(rope_type="llama3", rope_theta=77.0, original_max_position_embeddings=64.0))
    case("llama3 without factor", t,
         rope_parameters={k: v for k, v in llama3(rope_type="llama3", rope_theta=77.0).items() if k != "factor"})
    case("llama3 with other keys", t, rope_parameters=llama3(
        rope_type="llama3", rope_theta=77.0, attention_factor=2.0, mrope_section=[8, 4, 4]))
    case("default with a factor", t, rope_parameters=llama3(rope_type="default", rope_theta=77.0))
    case("rope_theta as text", t, rope_parameters=llama3(rope_type="llama3", rope_theta="77"))
    case("factor as text", t, rope_parameters=llama3(rope_type="llama3", rope_theta=77.0, factor="8"))
    case("unknown rope_type", t, rope_parameters=llama3(rope_type="su", rope_theta=77.0))
    case("dynamic", t, rope_parameters=dict(rope_type="dynamic", factor=4.0, rope_theta=77.0), refused="rope_type")
    case("a table for a type of layer", t, refused="full_attention",
         rope_parameters=dict(full_attention=llama3(rope_type="llama3", rope_theta=77.0)))
    case("partial_rotary_factor 1.0", t, partial_rotary_factor=1.0)
    case("partial_rotary_factor 0.5", t, partial_rotary_factor=0.5, refused="partial_rotary_factor",
         rope_parameters=llama3(rope_type="llama3", rope_theta=77.0))
    case("num_key_value_heads null", t, num_key_value_heads=None)
    case("num_key_value_heads absent", t, num_key_value_heads=ABSENT, num_attention_heads=32, hidden_size=1024)
    case("head_dim 16", t, head_dim=16)
    case("head_dim null", t, head_dim=None, **({"lenient": "as in Llama"} if t == "qwen3" else {}))
    case("sizes absent", t, whole=dict(model_type=t))
    case("sizes as 128.0", t, hidden_size=128.0, num_attention_heads=4.0, lenient="a whole number")
    case("hidden_size null", t, hidden_size=None)
    case("hidden_size as text", t, hidden_size="128")
    case("hidden_size 128.5", t, hidden_size=128.5)
    case("vocab_size null", t, vocab_size=None)
    case("max_position_embeddings absent", t, max_position_embeddings=ABSENT)
    case("rms_norm_eps absent", t, rms_norm_eps=ABSENT)
    case("rms_norm_eps null", t, rms_norm_eps=None)
    case("rms_norm_eps as text", t, rms_norm_eps="1e-5")
    case("rms_norm_eps 0", t, rms_norm_eps=0, lenient="a number")
    case("hidden_act absent", t, hidden_act=ABSENT)
    case("hidden_act null", t, hidden_act=None)
    case("tie_word_embeddings true", t, tie_word_embeddings=True)
    case("tie_word_embeddings null", t, tie_word_embeddings=None, lenient="null is false")
    case("attention_bias null", t, attention_bias=None, lenient="null is false")
    case("attention_bias true", t, attention_bias=True, refused="attention_bias")
    case("torch_dtype beside dtype", t, torch_dtype="float32", dtype="bfloat16")
    case("attention_dropout, initializer_range, pretraining_tp", t, attention_dropout=0.1,
         initializer_range=0.5, pretraining_tp=2)
    case("layer_types all full", t, layer_types=["full_attention"] * 4)
    case("layer_types of older files", t, layer_types=["attention"] * 4)

sliding = dict(sliding_window=64, use_sliding_window=True, max_window_layers=2)
case("sliding_window not used", "qwen3", sliding_window=64)
case("sliding_window used", "qwen3", refused="sliding_window", **sliding)
case("sliding_window used in no layer", "qwen3", **dict(sliding, max_window_layers=4))
case("sliding_window in layer_types", "qwen3", refused="layer_types",
     layer_types=["full_attention"] * 3 + ["sliding_attention"], **sliding)
case("sliding_window", "llama", sliding_window=64, refused="sliding_window")
case("sliding_window null", "llama", sliding_window=None)
case("mlp_bias", "llama", mlp_bias=True, refused="mlp_bias")
case("relu2", "apertus", hidden_act="relu2")
case("swish", "llama", hidden_act="swish")
case("gelu", "apertus", hidden_act="gelu", refused="hidden_act")
case("post_norm", "apertus", post_norm=True, refused="post_norm")
case("the released 8B", "apertus", whole=dict(
    architectures=["ApertusForCausalLM"], attention_bias=False, attention_dropout=0.0, bos_token_id=1,
    eos_token_id=[68, 2], hidden_act="xielu", hidden_dropout=0.0, hidden_size=4096, initializer_range=0.02,
    intermediate_size=21504, max_position_embeddings=65536, mlp_bias=False, model_type="apertus",
    num_attention_heads=32, num_hidden_layers=32, num_key_value_heads=8, pad_token_id=3, post_norm=False,
    qk_norm=True, rms_norm_eps=1e-05, rope_theta=12000000, tie_word_embeddings=False, torch_dtype="bfloat16",
    rope_scaling=dict(factor=8.0, high_freq_factor=4.0, low_freq_factor=1.0,
                      original_max_position_embeddings=8192, rope_type="llama3", type="llama3"),
    transformers_version="4.56.0.dev0", use_cache=True, vocab_size=131072))


def apertus15(outer=None, **text):
    text = dict(SHAPE, model_type="apertus1p5_text", vocab_size=270000, output_vocab_size=1024, **text)
    return dict(dict(model_type="apertus1p5", text_config=text, tie_word_embeddings=False), **(outer or {}))


case("released layout", "apertus1p5", whole=apertus15())
case("text_config of type apertus", "apertus1p5",
     whole=dict(apertus15(), text_config=dict(apertus15()["text_config"], model_type="apertus")))
case("rope_theta beside text_config", "apertus1p5", whole=apertus15(dict(rope_theta=77.0)))
case("rope_scaling in text_config", "apertus1p5", whole=apertus15(
    rope_theta=77.0, rope_scaling=dict(LLAMA3, rope_type="llama3", type="llama3")))
head = apertus15()
head["text_config"]["output_vocab_size"] = None
case("unpruned head", "apertus1p5", whole=head)
head = apertus15()
head["text_config"]["output_vocab_size"] = 270000
case("head as wide as the embedding", "apertus1p5", whole=head)
head = apertus15()
head["text_config"]["output_vocab_size"] = 270001
case("head wider than the embedding", "apertus1p5", whole=head)

# One case a line.
path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "hf_configs.json")
with open(path, "w") as f:
    f.write("[\n" + ",\n".join(json.dumps(c) for c in cases) + "\n]\n")
print(len(cases), "cases,", os.path.getsize(path), "bytes", file=sys.stderr)
