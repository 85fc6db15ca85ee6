"""Tokenizers of every kind that directories hold, and the ids transformers gives with them.

    python make.py        (needs transformers and tokenizers; writes variants.json beside this file)

Each variant is a list of changes to the files of `tests/data/tiny`: for a file either its new
contents, or JSON pointers and their new values (null removes nothing: it is a value).
"""
import json, pathlib, shutil, tempfile
from transformers import AutoTokenizer

HERE = pathlib.Path(__file__).parent
TINY = HERE.parent / "tiny"
TEXTS = ["The `Vec<T>` type is", " leading  space ", "naïve e\u0301 ﬁ Ⅳ 日本語 🙂 Ａ", "a</s> there <pad>b",
         "x <tool> y<tool>z tool", "It's DON'T 12345 we'LL\n\n\ty", "Straße İstanbul <think>no</think>  b", "¡¡¡ !!!!!!!!!!!!!!!!!!!!"]
SETTINGS = json.load(open(TINY / "tokenizer_config.json"))


def special(name):
    return {"SpecialToken": {"id": name, "type_id": 0}}


def template(*pieces, **ids):
    text = {"Sequence": {"id": "A", "type_id": 0}}
    single = [text if p == "A" else special(p) for p in pieces]
    known = {"<s>": [1], "</s>": [2], "<pad>": [0], **ids}
    return {"type": "TemplateProcessing", "single": single,
            "pair": [text, {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {n: {"id": n, "ids": i, "tokens": [n] * len(i)} for n, i in known.items()}}


def added(content, special=False, **flags):
    return dict({"id": 0, "content": content, "single_word": False, "lstrip": False, "rstrip": False,
                 "normalized": False, "special": special}, **flags)


def split(regex, **more):
    return {"type": "Sequence", "pretokenizers": [
        {"type": "Split", "pattern": {"Regex": regex}, "behavior": "Isolated", "invert": False},
        {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}]}


def replace(pattern, content, regex=False):
    return {"type": "Replace", "pattern": {"Regex" if regex else "String": pattern}, "content": content}


def sequence(*steps):
    return {"type": "Sequence", "normalizers": list(steps)}


LLAMA = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
TEKKEN = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
APERTUS_2 = r"[ \x{0F0B}\x{0027}\x{2019}]?(?<g>[^\s\p{N}])\k<g>{7}|[ \x{0F0B}\x{0027}\x{2019}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[ \x{0F0B}\x{0027}\x{2019}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]{1,16}|\s{0,16}[\r\n]{1,16}|\s{1,16}(?!\S)|\s{1,16}"
TINY_JSON = json.load(open(TINY / "tokenizer.json"))
BASE = TINY_JSON["added_tokens"]
VOCAB = TINY_JSON["model"]["vocab"]
LAST = [token for token, id in VOCAB.items() if id == 1023][0]


def tok(**parts):
    return {"tokenizer.json": {"/" + k.replace("__", "/"): v for k, v in parts.items()}}


def config(**keys):
    return {"tokenizer_config.json": {"/" + k: v for k, v in keys.items()}}


SENTENCEPIECE = {
    "version": "1.0", "truncation": None, "padding": None,
    "added_tokens": [dict(added("<unk>", True), id=0), dict(added("<s>", True), id=1), dict(added("</s>", True), id=2)],
    "normalizer": sequence({"type": "Prepend", "prepend": "▁"}, replace(" ", "▁")), "pre_tokenizer": None,
    "post_processor": template("<s>", "A"),
    "decoder": {"type": "Sequence", "decoders": [replace("▁", " "), {"type": "ByteFallback"}, {"type": "Fuse"},
                                                 {"type": "Strip", "content": " ", "start": 1, "stop": 0}]},
    "model": {"type": "BPE", "dropout": None, "unk_token": "<unk>", "continuing_subword_prefix": None,
              "end_of_word_suffix": None, "fuse_unk": True, "byte_fallback": True, "ignore_merges": False,
              "vocab": {t: i for i, t in enumerate(["<unk>", "<s>", "</s>"] + [f"<0x{b:02X}>" for b in range(256)]
                                                   + ["▁", "t", "h", "e", "s", "▁t", "he", "▁the", "is"] + ["i"])},
              "merges": [["▁", "t"], ["h", "e"], ["▁t", "he"], ["i", "s"]]},
}
UNIGRAM = dict(SENTENCEPIECE, normalizer={"type": "NFKC"}, post_processor=template("A", "</s>"),
               pre_tokenizer={"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True},
               decoder={"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True},
               model={"type": "Unigram", "unk_id": 0, "byte_fallback": False, "vocab": [
                   [t, -float(i)] for i, t in enumerate(["<unk>", "<s>", "</s>", "▁", "▁the", "e", "s", "is", "i", "t", "h", "▁a", "a", "b", "p", "c"])]})

VARIANTS = {
    "as it is": {},
    "truncation and padding": tok(
        truncation={"direction": "Right", "max_length": 3, "strategy": "LongestFirst", "stride": 0},
        padding={"strategy": {"Fixed": 40}, "direction": "Left", "pad_to_multiple_of": 8, "pad_id": 0,
                 "pad_type_id": 0, "pad_token": "<pad>"}),
    "begins": tok(post_processor=template("<s>", "A")),
    "ends": tok(post_processor=template("A", "</s>")),
    "begins and ends": tok(post_processor=template("<s>", "A", "</s>")),
    "begins with two": tok(post_processor=template("<s>", "<pad>", "A")),
    "ends with what is no stop": tok(post_processor=template("A", "<pad>")),
    "a name for two ids": tok(post_processor=template("both", "A", both=[1, 0])),
    "processors in a row": tok(post_processor={"type": "Sequence", "processors": [
        {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": False, "use_regex": True}, template("<s>", "A")]}),
    "roberta": tok(post_processor={"type": "RobertaProcessing", "sep": ["</s>", 2], "cls": ["<s>", 1],
                                   "trim_offsets": True, "add_prefix_space": False}),
    "no processor, settings that say add": {**tok(post_processor=None), **config(add_bos_token=True, add_eos_token=True)},
    "a processor, settings that say do not": {**tok(post_processor=template("<s>", "A")), **config(add_bos_token=False)},
    "nfc": tok(normalizer={"type": "NFC"}),
    "nfkc and lower case": tok(normalizer=sequence({"type": "NFKC"}, {"type": "Lowercase"})),
    "strip accents": tok(normalizer=sequence({"type": "NFD"}, {"type": "StripAccents"}, {"type": "Strip", "strip_left": True, "strip_right": True})),
    "no normalizers in a sequence": tok(normalizer=sequence()),
    "prepend": tok(normalizer={"type": "Prepend", "prepend": "_"}),
    "replace, as apertus 1.5": tok(
        normalizer=sequence(replace("<think>", "<tool>"), replace("</think>", "</s>"), replace(r"</s>\s+", "</s>", True)),
        added_tokens=BASE[:2] + [added("</s>", True, normalized=True), added("<tool>", normalized=True)]),
    "white space beside added tokens": tok(added_tokens=BASE + [added("<tool>", lstrip=True, rstrip=True)]),
    "added tokens that are words": tok(added_tokens=BASE + [added("<tool>", single_word=True), added("tool", single_word=True)]),
    "added tokens, lower case": tok(normalizer={"type": "Lowercase"}, added_tokens=BASE + [added("DON", normalized=True), added("Straße", normalized=True)]),
    "prefix space": tok(pre_tokenizer__add_prefix_space=True),
    "llama 3": tok(pre_tokenizer=split(LLAMA), model__ignore_merges=True),
    "llama 3 that merges": tok(pre_tokenizer=split(LLAMA)),
    "tekken": tok(pre_tokenizer=split(TEKKEN), model__ignore_merges=True),
    "tekken that merges": tok(pre_tokenizer=split(TEKKEN)),
    "apertus 2": tok(pre_tokenizer=split(APERTUS_2), normalizer={"type": "NFC"}),
    "single digits": tok(pre_tokenizer={"type": "Sequence", "pretokenizers": [
        {"type": "Digits", "individual_digits": True}, {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}]}),
    "end named only in the settings": {**tok(added_tokens=BASE[:2]), **config(eos_token="</s>")},
    "end as an object": {**tok(added_tokens=BASE[:2]), **config(eos_token={
        "__type": "AddedToken", "content": "</s>", "lstrip": True, "rstrip": False, "normalized": False, "single_word": False})},
    "no begin": config(bos_token=None),
    "unknown token that is none": config(unk_token="<unknown>"),
    "further special tokens": config(extra_special_tokens=["<tool>", "there"]),
    "further special tokens, older": config(additional_special_tokens=["<tool>", {
        "__type": "AddedToken", "content": "there", "lstrip": True, "rstrip": False, "normalized": False, "single_word": False}]),
    "special tokens by names of their own": config(image_token="<tool>"),
    "added tokens in the settings": config(added_tokens_decoder={
        "1025": added("there", normalized=True), "1024": added("<tool>", rstrip=True), "2": added("</s>", True, rstrip=True)}),
    "a map of special tokens": {"special_tokens_map.json": {"eos_token": {
        "content": "there", "lstrip": False, "rstrip": False, "normalized": False, "single_word": False}, "pad_token": "<tool>"}},
    "added_tokens.json": {"added_tokens.json": {"<tool>": 1025, "there": 1024}},
    "special in the settings, not in the file": tok(added_tokens=[dict(t, special=False) for t in BASE]),
    "ids in the file that do not count": tok(added_tokens=BASE + [dict(added("<tool>"), id=1500)]),
    "ids are missing": tok(model__vocab={t: i for t, i in VOCAB.items() if i != 1000 and t != LAST},
                           model__merges=[m for m in TINY_JSON["model"]["merges"]
                                          if VOCAB["".join(m)] not in (1000, 1023) and 1000 not in (VOCAB[m[0]], VOCAB[m[1]])],
                           added_tokens=BASE + [added("<tool>")]),
    "sentencepiece": {"tokenizer.json": SENTENCEPIECE},
    "unigram": {"tokenizer.json": UNIGRAM},
}


def change(path, changes):
    if not any(key.startswith("/") for key in changes):
        return json.dump(changes, open(path, "w"))
    whole = json.load(open(path))
    for pointer, value in changes.items():
        *parents, last = pointer[1:].split("/")
        at = whole
        for parent in parents:
            at = at[parent]
        at[last] = value
    json.dump(whole, open(path, "w"))


def main():
    out = []
    for name, files in VARIANTS.items():
        with tempfile.TemporaryDirectory() as dir:
            for file in ["config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json"]:
                shutil.copy(TINY / file, dir)
            for file, changes in files.items():
                change(pathlib.Path(dir) / file, changes)
            tokenizer = AutoTokenizer.from_pretrained(dir)
            ids = [tokenizer(text).input_ids for text in TEXTS]
            texts = [tokenizer.decode(i, skip_special_tokens=True, clean_up_tokenization_spaces=False) for i in ids]
            out.append({"name": name, "files": files, "ids": ids, "decoded": texts, "eos": tokenizer.eos_token_id})
    lines = ",\n".join(json.dumps(v, ensure_ascii=False, separators=(",", ":")) for v in out)
    (HERE / "variants.json").write_text('{"texts":%s,\n"variants":[\n%s\n]}\n' % (json.dumps(TEXTS, ensure_ascii=False), lines))


main()
