"""Models of 16,000 weights, saved as transformers saves them: layouts, types and spellings of
config.json."""
import json, math
import ml_dtypes, numpy, torch
from safetensors.numpy import load_file, save_file
from transformers import ApertusConfig, ApertusForCausalLM, LlamaConfig, LlamaForCausalLM
from transformers import Qwen3Config, Qwen3ForCausalLM
from transformers.models.apertus1p5 import configuration_apertus1p5 as config15
from transformers.models.apertus1p5 import modeling_apertus1p5 as model15

from vocabularies import ID, SIZE, TEXTS, edit, trained

ROPE = dict(rope_type="llama3", rope_theta=1000.0, factor=8.0, low_freq_factor=1.0,
            high_freq_factor=4.0, original_max_position_embeddings=64)
SHAPE = dict(
    vocab_size=SIZE, hidden_size=16, intermediate_size=48, num_hidden_layers=2,
    num_attention_heads=2, num_key_value_heads=1, max_position_embeddings=128,
    bos_token_id=1, eos_token_id=2, pad_token_id=3,
)


def seeded(model, seed):
    """Random weights, loud enough that greedy ids vary and positions matter."""
    random = torch.Generator().manual_seed(seed)
    for name, weight in sorted(model.named_parameters()):
        noise = torch.randn(weight.shape, generator=random)
        if name.endswith("alpha_p") or name.endswith("alpha_n"):
            value = noise
        elif weight.dim() < 2:
            value = 1 + 0.2 * noise
        elif "embed_tokens" in name:
            value = noise
        else:
            loud = 3 if "lm_head" in name else 2 if "q_proj" in name or "k_proj" in name else 1
            value = noise * loud / math.sqrt(weight.shape[-1])
        weight.data = value.to(torch.bfloat16).to(torch.float32)
    if getattr(model, "config", None) and model.config.tie_word_embeddings:  # Or every token would be followed by itself.
        model.get_input_embeddings().weight.data /= 8
        model.model.norm.weight.data *= 4
    return model


def stopping(model):
    """The same model with rows of its vocabulary exchanged so that what it says to the first prompt
    has first <|tools_suffix|>, later <|assistant_end|> and near the end </s>."""
    ids = trained().encode(TEXTS[0]).ids
    new = model.generate(torch.tensor([ids]), do_sample=False, max_new_tokens=13,
                         eos_token_id=None)[0, len(ids):].tolist()
    tables = [model.get_input_embeddings().weight, model.lm_head.weight]
    fresh = [id for i, id in enumerate(new) if i > 2 and id not in new[:i] + ids]
    pairs = zip(fresh[:1] + fresh[len(fresh) // 2:][:1] + fresh[-1:],
                ["<|tools_suffix|>", "<|assistant_end|>", "</s>"])
    for id, token in pairs:
        assert ID[token] not in new
        for table in tables:
            table.data[[id, ID[token]]] = table.data[[ID[token], id]]
    return model


def apertus(seed=14, tied=False, **keys):
    config = ApertusConfig(**{**SHAPE, "rope_parameters": dict(ROPE), **keys},
                           tie_word_embeddings=tied)
    return seeded(ApertusForCausalLM(config), seed)


def base():
    return stopping(apertus())


def tied():
    return apertus(20, tied=True)


def save(folder, model, dtype=torch.bfloat16, **more):
    model.to(dtype).save_pretrained(folder, **more)


def plain(folder):
    save(folder, base())


def configured(change, model=base):
    """config.json changed by hand."""
    def make(folder):
        save(folder, model())
        edit(folder / "config.json", change)
    return make


def rope(table, **keys):
    """The plain model's weights with other RoPE keys; a key of None is left out."""
    def change(j):
        del j["rope_parameters"]
        if table is not None:
            j["rope_parameters"] = table
        j.update(keys)
    return configured(change)


def without(*keys):
    return configured(lambda j: [j.pop(key) for key in keys])


def less(table, *keys):
    return {key: value for key, value in table.items() if key not in keys}


def stops(generation=None, config=2, **more):
    """eos_token_id of generation_config.json (None: there is no such file) and config.json."""
    def make(folder):
        plain(folder)
        edit(folder / "config.json", lambda j: j.update(eos_token_id=config, **more))
        file = folder / "generation_config.json"
        file.unlink()
        if generation is not None:
            file.write_text(json.dumps(generation, indent=2))
    return make


def rewritten(change, model=base):
    """The tensors changed by hand."""
    def make(folder):
        save(folder, model())
        file = folder / "model.safetensors"
        tensors = load_file(file)
        change(tensors)
        save_file(tensors, file, metadata={"format": "pt"})
    return make


def drop_beta(tensors):
    for name in [name for name in tensors if name.endswith((".beta", ".eps"))]:
        del tensors[name]


def float8(strategy, scale_type=numpy.float32, block=(16, 8)):
    """As llm-compressor saves it: e4m3 with scales by tensor, channel or block. What transformers
    computes from it equals what it computes from the products of values and scales in f32."""
    def make(folder):
        save(folder, base())
        file = folder / "model.safetensors"
        tensors = load_file(file)
        for name in [name for name in tensors if name.endswith("_proj.weight")]:
            weight = tensors[name].astype(numpy.float32)
            tall, wide = {
                "tensor": weight.shape, "channel": (1, weight.shape[1]), "block": block}[strategy]
            rows, cols = (-(-a // b) for a, b in zip(weight.shape, (tall, wide)))
            scale = numpy.zeros((rows, cols), scale_type)
            coded = numpy.zeros(weight.shape, ml_dtypes.float8_e4m3fn)
            for r in range(rows):
                for c in range(cols):
                    part = numpy.s_[r * tall:(r + 1) * tall, c * wide:(c + 1) * wide]
                    scale[r, c] = abs(weight[part]).max() / 448
                    coded[part] = weight[part] / scale[r, c].astype(numpy.float32)
            tensors[name] = coded
            tensors[name + "_scale"] = scale.reshape(1) if strategy == "tensor" else scale
        save_file(tensors, file, metadata={"format": "pt"})
        weights = dict(num_bits=8, type="float", strategy=strategy, symmetric=True, dynamic=False)
        if strategy == "block":
            weights["block_structure"] = list(block)
        edit(folder / "config.json", lambda j: j.update(quantization_config=dict(
            quant_method="compressed-tensors", format="float-quantized", ignore=["lm_head"],
            quantization_status="compressed", config_groups=dict(group_0=dict(
                targets=["Linear"], weights=weights, input_activations=None,
                output_activations=None, format="float-quantized")))))
    return make


def apertus15(outputs=SIZE, eos=2, seed=14):
    """Apertus 1.5: text, vision and audio; the embedding has rows that the head has not."""
    def make(folder):
        text = {**SHAPE, "vocab_size": SIZE + 32, "output_vocab_size": outputs,
                "rope_parameters": dict(ROPE), "eos_token_id": eos}
        config = config15.Apertus1p5Config(
            text_config=text, image_token_id=SIZE, audio_token_id=SIZE + 1,
            image_token_offset=SIZE, audio_token_offset=SIZE + 16,
            vision_config=dict(codebook_size=16, embed_dim=8, latent_channels=8, base_channels=32,
                               channel_multiplier=[1, 1], num_res_blocks=1, attn_resolutions=[]),
            audio_config=dict(model_type="wavtokenizer_encoder", codebook_size=16, num_filters=4,
                              hidden_size=16, codebook_dim=16, upsampling_ratios=[2, 2]))
        model = model15.Apertus1p5ForConditionalGeneration(config)
        seeded(model.model.language_model, seed)
        seeded(model.lm_head, seed + 1)
        model.lm_head.weight.data *= 3
        save(folder, stopping(model))
    return make


def apertus15_text(seed, outputs):
    def make(folder):
        config = config15.Apertus1p5TextConfig(**{
            **SHAPE, "vocab_size": SIZE + 32, "output_vocab_size": outputs,
            "rope_parameters": dict(ROPE)})
        save(folder, seeded(model15.Apertus1p5TextForCausalLM(config), seed))
    return make


def llama(rope=ROPE, change=None, seed=3, family=(LlamaConfig, LlamaForCausalLM), **keys):
    def model():
        config = family[0](**{**SHAPE, "rope_parameters": dict(rope), **keys})
        return seeded(family[1](config), seed)
    def make(folder):
        save(folder, model(), torch.float16)
        if change is not None:
            edit(folder / "config.json", change)
    return make


def dynamic_inputs(folder):
    """The usual recipe's inputs, by token."""
    inputs = dict(num_bits=8, type="float", strategy="token", symmetric=True, dynamic=True)
    edit(folder / "config.json", lambda j: j["quantization_config"]["config_groups"][
        "group_0"].update(input_activations=inputs))


def shrink(folder):
    """Of the tensors of other modalities two stay, which is enough to be passed over."""
    file = folder / "model.safetensors"
    tensors = load_file(file)
    other = [name for name in tensors if "tokenizer" in name]
    for name in other[2:]:
        del tensors[name]
    save_file(tensors, file, metadata={"format": "pt"})


QWEN3 = (Qwen3Config, Qwen3ForCausalLM)
DEFAULT = dict(rope_type="default", rope_theta=1000.0)
OLD = less(ROPE, "rope_theta", "rope_type")


def old(**keys):
    """transformers 4: rope_theta beside rope_scaling, torch_dtype."""
    def change(j):
        del j["rope_parameters"]
        j.update(rope_theta=1000.0, rope_scaling={**OLD, **keys}, torch_dtype=j.pop("dtype"))
        j["transformers_version"] = "4.56.0"
    return configured(change)


# Name, what it shows, how it is made.
CASES = [
    ("rope_type_and_type", "rope_scaling of the released Apertus 1: both keys",
     old(rope_type="llama3", type="llama3")),
    ("rope_type_old", "rope_scaling with rope_type", old(rope_type="llama3")),
    ("rope_only_type", "rope_scaling with type", old(type="llama3")),
    ("rope_new_both", "rope_parameters with rope_type and type", rope({**ROPE, "type": "llama3"})),
    ("rope_new_type", "rope_parameters with type", rope(
        {**less(ROPE, "rope_type"), "type": "llama3"})),
    ("rope_types_differ", "rope_type goes before type", rope({**ROPE, "type": "default"})),
    ("rope_default", "no scaling", rope(DEFAULT)),
    ("rope_linear", "linear scaling", rope(dict(rope_type="linear", factor=4.0, rope_theta=1000.0))),
    ("rope_theta_above", "theta beside the table", rope(less(ROPE, "rope_theta"), rope_theta=1000.0)),
    ("rope_theta_twice", "theta in the table and beside it", rope(ROPE, rope_theta=10.0)),
    ("rope_tables_twice", "rope_scaling and rope_parameters", rope(
        DEFAULT, rope_scaling=dict(ROPE, rope_theta=100.0))),
    ("rope_scaling_null", "rope_scaling null", rope(ROPE, rope_scaling=None)),
    ("rope_scaling_empty", "rope_scaling empty", rope(ROPE, rope_scaling={})),
    ("rope_theta_alone", "no table, which Apertus' own replaces, theta and all", rope(
        None, rope_scaling=None, rope_theta=1000.0)),
    ("rope_null", "rope_parameters null: Apertus' own", rope(None, rope_parameters=None)),
    ("rope_absent", "no RoPE keys: Apertus' own", rope(None)),
    ("rope_no_theta", "no theta: Apertus' own", rope(less(ROPE, "rope_theta"))),
    ("rope_no_original", "llama3 without the original context", rope(
        less(ROPE, "original_max_position_embeddings"))),
    ("rope_original_above", "the original context beside the table", rope(
        less(ROPE, "original_max_position_embeddings"), original_max_position_embeddings=32)),
    ("rope_original_alone", "Apertus' own, but for the original context", rope(
        None, original_max_position_embeddings=16)),
    ("rope_whole", "whole numbers", rope({**ROPE, "rope_theta": 1000, "factor": 8,
                                          "low_freq_factor": 1, "high_freq_factor": 4})),
    ("rope_fractions", "64.0", rope({**ROPE, "original_max_position_embeddings": 64.0})),
    ("rope_extra", "keys that do nothing", rope(
        {**ROPE, "attention_factor": 1.0, "mrope_section": [1, 1, 2], "partial_rotary_factor": 1.0,
         "beta_fast": None, "type": None})),
    ("keys_foreign", "keys that Apertus does not heed", rope(
        {**ROPE, "attention_factor": 1.25, "mscale": 0.75}, post_norm=False, qk_norm=True,
        sliding_window=64, layer_types=["full_attention"] * 2)),
    ("rope_partial_one", "partial_rotary_factor 1", rope(ROPE, partial_rotary_factor=1.0)),
    ("keys_null", "keys that are null", configured(lambda j: j.update(
        sliding_window=None, rope_scaling=None, quantization_config=None, output_vocab_size=None,
        pad_token_id=None, bos_token_id=None, layer_types=None))),
    ("keys_absent", "keys with defaults", without(
        "rms_norm_eps", "hidden_act", "tie_word_embeddings", "attention_bias", "dtype",
        "architectures", "bos_token_id", "pad_token_id", "use_cache", "transformers_version")),
    ("dtype_twice", "torch_dtype beside dtype", configured(lambda j: j.update(
        torch_dtype="float32"))),
    ("heads_absent", "as many key heads as heads", configured(
        lambda j: j.pop("num_key_value_heads"), lambda: apertus(11, num_key_value_heads=2))),
    ("heads_null", "num_key_value_heads null", configured(
        lambda j: j.update(num_key_value_heads=None), lambda: apertus(11, num_key_value_heads=2))),
    ("head_dim", "heads wider than their share", lambda folder: save(
        folder, apertus(12, head_dim=16))),
    ("context_absent", "max_position_embeddings and the original context absent", configured(
        lambda j: (j.pop("max_position_embeddings"), j["rope_parameters"].pop(
            "original_max_position_embeddings")))),
    ("relu2", "ReLU squared", lambda folder: save(folder, apertus(13, hidden_act="relu2"))),
    ("beta_absent", "beta and eps absent", rewritten(drop_beta)),
    ("frequencies", "RoPE's frequencies as tensors, which older files have", rewritten(
        lambda t: t.update({f"model.layers.{layer}.self_attn.rotary_emb.inv_freq": numpy.ones(
            4, numpy.float32) for layer in range(2)}), tied)),
    ("float32", "weights in float32", lambda folder: save(folder, tied(), torch.float32)),
    ("float16", "weights in float16", lambda folder: save(folder, base(), torch.float16)),
    ("tied", "embedding and head are one", lambda folder: save(folder, tied())),
    ("tied_with_head", "tied, and the file has the head too", rewritten(
        lambda t: t.update({"lm_head.weight": t["model.embed_tokens.weight"]}),
        tied)),
    ("tied_head_differs", "tied, but the file has another head, which counts", configured(
        lambda j: j.update(tie_word_embeddings=True))),
    ("without_prefix", "the model without its head, saved alone: names without a prefix",
     lambda folder: save(folder, tied().model)),
    ("sharded", "four files and an index", lambda folder: save(
        folder, base(), max_shard_size="9KB")),
    ("float8_channel", "e4m3, scales by channel", float8("channel", ml_dtypes.bfloat16)),
    ("float8_dynamic", "e4m3 made for inputs of 8 bits too: ours stay f32", float8(
        "channel", ml_dtypes.bfloat16)),
    ("float8_block", "e4m3, scales by block", float8("block")),
    ("float8_ragged", "e4m3, blocks that do not fit", float8("block", block=(20, 12))),
    ("float8_tensor", "e4m3, one scale", float8("tensor")),
    ("apertus15", "Apertus 1.5, head without the rows of images and sound", apertus15()),
    ("apertus15_full_head", "Apertus 1.5, head of all rows", apertus15(None)),
    ("apertus15_text", "Apertus 1.5, text alone", apertus15_text(2, SIZE)),
    ("apertus15_text_full_head", "Apertus 1.5, text alone, head of all rows", apertus15_text(5, None)),
    ("apertus15_stops", "EOS ids under text_config", apertus15(eos=[2, 9, 11])),
    ("llama", "Llama: SwiGLU, RMSNorm's names", llama()),
    ("llama_tied", "Llama, tied, theta alone", llama(DEFAULT, seed=7, tie_word_embeddings=True)),
    ("llama_keys_null", "Llama, keys that are null", llama(
        {**DEFAULT, "rope_theta": 10000.0}, lambda j: (j.pop("rope_parameters"), j.update(
            rope_scaling=None, head_dim=None, pretraining_tp=1)))),
    ("llama_wide", "Llama, heads wider than their share", llama(head_dim=16)),
    ("qwen3", "Qwen 3: SwiGLU and QK-norm", llama(DEFAULT, family=QWEN3, head_dim=8, seed=7)),
    ("qwen3_tied", "Qwen 3, tied", llama(DEFAULT, family=QWEN3, head_dim=16, seed=7,
                                        tie_word_embeddings=True)),
    ("stops_list", "a list in generation_config.json", stops(dict(eos_token_id=[2, 9, 11]))),
    ("stops_lists", "lists in both files", stops(dict(eos_token_id=[2, 9]), [2, 11])),
    ("stops_config", "a list in config.json, no generation_config.json", stops(None, [2, 9])),
    ("stops_generation", "null in config.json", stops(dict(eos_token_id=9), None)),
    ("stops_union", "another in every place", stops(dict(eos_token_id=9), 11)),
    ("stops_settings", "only the tokenizer knows it", stops(dict(bos_token_id=1), None)),
    ("stops_many", "more than a GGUF has keys for", stops(
        dict(eos_token_id=[2, 5, 9, 11, 13, 300]), 2)),
    ("sampling", "sampling defaults", stops(dict(
        bos_token_id=1, eos_token_id=[2, 9], pad_token_id=3, do_sample=True, temperature=0.8,
        top_p=0.9, top_k=20))),
]
