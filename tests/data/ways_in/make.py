#!/usr/bin/env python3
"""Makes cases.json and files/: model directories as people bring them, and what transformers
makes of each. tests/hf/ways_in.rs asks the same of the directory and of the GGUF file made of it.

    python3 tests/data/ways_in/make.py [CASE...]

Needs transformers, tokenizers, torch, safetensors, numpy, ml_dtypes, compressed-tensors (made with
transformers 5.24, tokenizers 0.23, torch 2.15, compressed-tensors 0.20). Named cases are shown and
nothing is written.

Of every case cases.json has
  files      name in the directory -> file below files/, where equal files lie once; tokenizer.json
             without its indentation
  prompts    [text, ids]: what the tokenizer makes of a text. One rule is ours: where the text
             itself begins with BOS nothing is put before it, and no EOS after one
  stops      all ids that end a generation: those of generation_config.json, config.json (also of
             its text_config) and the tokenizer's EOS
  templates  chat templates by name, "default" where there is one
  greedy     [text, ids, text of them]: greedy continuations in f32, up to and with a stop; ids are
             cut where the two best logits lie closer than 0.001
  all        the text of all ids in their order
"""
import hashlib, json, os, pathlib, shutil, sys, tempfile

os.environ["OMP_NUM_THREADS"] = "1"
import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForImageTextToText
from transformers import logging

import networks, vocabularies

HERE = pathlib.Path(__file__).parent
GREEDY = [vocabularies.TEXTS[0], "<s><|user_start|>Hello<|user_end|><|assistant_start|>"]
MARGIN = 1e-3


def prompt_ids(tokenizer, text):
    encode = lambda text: tokenizer(text).input_ids
    bare = lambda text: tokenizer(text, add_special_tokens=False).input_ids
    around, a, ids = encode("a"), bare("a"), bare(text)
    start = next(i for i in range(len(around)) if around[i:i + len(a)] == a)
    prefix, suffix = around[:start], around[start + len(a):]
    assert encode(text) == prefix + ids + suffix
    begun = prefix and ids[:1] == prefix[:1]
    ended = suffix and ids[-len(suffix):] == suffix
    return ([] if begun else prefix) + ids + ([] if ended else suffix)


def listed(ids):
    return [] if ids is None else ids if isinstance(ids, list) else [ids]


def stop_ids(folder, tokenizer):
    read = lambda name: json.loads(file.read_text()) if (file := folder / name).exists() else {}
    config = read("config.json")
    places = [read("generation_config.json"), config, config.get("text_config") or {}]
    ids = {id for place in places for id in listed(place.get("eos_token_id"))}
    return sorted(ids | set(listed(tokenizer.eos_token_id)))


def templates(tokenizer):
    template = tokenizer.chat_template
    if template is None:
        return {}
    return template if isinstance(template, dict) else {"default": template}


def open_model(folder):
    composite = AutoConfig.from_pretrained(folder).model_type == "apertus1p5"
    auto = AutoModelForImageTextToText if composite else AutoModelForCausalLM
    model, found = auto.from_pretrained(folder, dtype=torch.float32, output_loading_info=True)
    for name in found["missing_keys"]:  # transformers leaves them as memory was.
        model.get_buffer(name).fill_({"beta": 0.5, "eps": -1e-6}[name.split(".")[-1]])
    return model.eval()


def greedy(model, ids, stops):
    out = model.generate(
        torch.tensor([ids]), do_sample=False, max_new_tokens=16, eos_token_id=stops or None,
        pad_token_id=stops[0] if stops else None, output_logits=True, return_dict_in_generate=True)
    best = [logits[0].topk(2).values for logits in out.logits]
    clear = [float(first - second) > MARGIN for first, second in best]
    new = out.sequences[0, len(ids):].tolist()
    return new[:clear.index(False)] if False in clear else new


def record(folder, texts):
    tokenizer = vocabularies.load(folder)
    model = open_model(folder)
    stops = stop_ids(folder, tokenizer)
    continued = []
    for text in GREEDY:
        ids = prompt_ids(tokenizer, text)
        new = greedy(model, ids, stops)
        assert new, f"{text!r}: the first logits are a tie"
        continued.append([text, new, tokenizer.decode(new, skip_special_tokens=True)])
    prompts = [[text, prompt_ids(tokenizer, text)] for text in texts]
    everything = tokenizer.decode(list(range(len(tokenizer))), skip_special_tokens=True)
    return dict(prompts=prompts, stops=stops, templates=templates(tokenizer), greedy=continued,
                all=everything)


def all_cases():
    plain, common = vocabularies.plain, vocabularies.TEXTS
    for name, about, vocabulary, texts in vocabularies.CASES:
        yield name, about, networks.plain, vocabulary, common + texts
    for name, about, network in networks.CASES:
        yield name, about, network, plain, ["", "<s>Hello"]
    yield ("qwen3_whole", "Qwen 3 with a tokenizer of its kind", networks.llama(
        networks.DEFAULT, family=networks.QWEN3, head_dim=8, seed=7, bos_token_id=None,
        eos_token_id=2, pad_token_id=0), vocabularies.qwen, common + ["<|im_start|>user\nHi<|im_end|>"])


def collect(folder, name, out, known):
    """Copies a directory's files, each content once; returns names and places."""
    places = {}
    tokenizer = folder / "tokenizer.json"
    tokenizer.write_text(json.dumps(json.loads(tokenizer.read_text()), ensure_ascii=False))
    for file in sorted(f for f in folder.rglob("*") if f.is_file()):
        content = hashlib.sha256(file.read_bytes()).digest()
        short = str(file.relative_to(folder))
        if content not in known:
            known[content] = f"{name}/{short}"
            (out / known[content]).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, out / known[content])
        places[short] = known[content]
    return places


def main():
    torch.set_num_threads(1)
    logging.set_verbosity_error()
    chosen = sys.argv[1:]
    out = pathlib.Path(tempfile.mkdtemp()) if chosen else HERE / "files"
    shutil.rmtree(out, ignore_errors=True)
    cases, known = [], {}
    for name, about, network, vocabulary, texts in all_cases():
        if chosen and name not in chosen:
            continue
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            torch.manual_seed(0)
            network(folder)
            vocabulary(folder)
            truth = record(folder, texts)
            if name.startswith("apertus15"):
                networks.shrink(folder)
            if name == "float8_dynamic":
                networks.dynamic_inputs(folder)
            files = collect(folder, name, out, known)
        cases.append(dict(name=name, about=about, files=files, **truth))
        print(name, truth["stops"], [new for _, new, _ in truth["greedy"]], flush=True)
    if not chosen:
        lines = ",\n".join(json.dumps(case) for case in cases)
        (HERE / "cases.json").write_text(f"[\n{lines}\n]\n")


if __name__ == "__main__":
    main()
