"""Tokenizers of 352 tokens, saved as transformers saves them: every kind of BOS, EOS, template,
normalizer, added token and pre-tokenizer that directories in the field have."""
import json, pathlib
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers
from tokenizers import pre_tokenizers, processors, trainers
from transformers import AutoTokenizer, PreTrainedTokenizerFast

HERE = pathlib.Path(__file__).parent
SIZE = 352
SPECIAL = [
    "<unk>", "<s>", "</s>", "<pad>", "<|system_start|>", "<|system_end|>", "<|user_start|>",
    "<|user_end|>", "<|assistant_start|>", "<|assistant_end|>", "<|tools_prefix|>",
    "<|tools_suffix|>", "<|inner_prefix|>", "<|inner_suffix|>",
]
ID = {token: id for id, token in enumerate(SPECIAL)}
CASED = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]"
# The patterns of Apertus (Mistral's tekken), Llama 3 and Qwen 2.
TEKKEN = (
    CASED + r"*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|" + CASED + r"+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|"
    r"\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|"
    r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
QWEN2 = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")
TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}<|{{ m.role }}_start|>{{ m.content }}"
    "<|{{ m.role }}_end|>{% endfor %}{% if add_generation_prompt %}<|assistant_start|>{% endif %}"
)
TOOLS = "{{ bos_token }}<|tools_prefix|>{{ tools }}<|tools_suffix|>"

# Prompts of every case: scripts, spaces around special tokens, texts that begin with BOS.
TEXTS = [
    "The `Vec<T>` type is", "", " ", "Hello, world",
    "na\u00efve caf\u00e9 \u2014 12345 \u65e5\u672c\u8a9e \U0001f642",
    "e\u0301 \u2460 \ufb01 A\u030a", "IT'S We'LL don't", "a  b\n\n\tc \r\nd   ",
    "<s>Hello", "<s> Hello", " <s>Hello", "x</s>y", "  <|assistant_end|>  ", "<s>",
    "<s><|user_start|>Hello<|user_end|><|assistant_start|>",
    "one <|user_start|> two<|user_end|> <|assistant_start|>three",
    "\x00\x1b[0m\x7f", "\u200bzero\u200d\u202eright\ufeff", "\u2581<0x41> \u0120word\u010a",
    "\U0001f469\u200d\U0001f4bb\U0001f1e8\U0001f1ed", "a" * 40 + " " * 20 + "\n" * 5,
]


def split(regex):
    """A pattern, then bytes as printable characters."""
    pattern = pre_tokenizers.Split(Regex(regex), "isolated")
    return pre_tokenizers.Sequence([pattern, byte_level(use_regex=False)])


def byte_level(use_regex=True):
    return pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=use_regex)


def bos_template(last=""):
    tokens = [(token, ID[token]) for token in ("<s>", "</s>")]
    return processors.TemplateProcessing(
        single="<s> $A" + last, pair=f"<s> $A{last} <s>:1 $B:1{last}", special_tokens=tokens
    )


def trained(pre=None, special=SPECIAL, size=SIZE, normalizer=None, post="bos"):
    """A byte-level BPE trained on the bundled text."""
    tokenizer = Tokenizer(models.BPE(ignore_merges=pre is None))
    tokenizer.pre_tokenizer = pre or split(TEKKEN)
    tokenizer.decoder = decoders.ByteLevel()
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    trainer = trainers.BpeTrainer(
        vocab_size=size, special_tokens=special, show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    lines = (HERE / "../../../models/heldout.txt").read_text().splitlines(keepends=True)
    tokenizer.train_from_iterator(lines, trainer)
    tokenizer.post_processor = bos_template() if post == "bos" else post
    return tokenizer


def save(folder, tokenizer, bos="<s>", eos="</s>", pad="<pad>", unk="<unk>", jinja=True, **more):
    """As transformers saves it."""
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token=bos, eos_token=eos, pad_token=pad, unk_token=unk,
        clean_up_tokenization_spaces=False, **more,
    )
    wrapped.save_pretrained(folder, save_jinja_files=jinja)
    return wrapped


def edit(path, change):
    """Changes a JSON file in place."""
    value = json.loads(path.read_text())
    change(value)
    path.write_text(json.dumps(value, ensure_ascii=False, indent=2) + "\n")


def settings(folder, **keys):
    edit(folder / "tokenizer_config.json", lambda j: j.update(keys))


def plain(folder):
    save(folder, trained())


def added(folder, tokens, **more):
    """With tokens added after training, in the place of the last merges."""
    tokenizer = trained(size=SIZE - len(tokens))
    for token in tokens:
        (tokenizer.add_special_tokens if token.special else tokenizer.add_tokens)([token])
    save(folder, tokenizer, **more)


def older_settings(folder):
    """tokenizer_config.json of transformers 4: every added token again, and a map of its own."""
    plain(folder)
    tokens = json.loads((folder / "tokenizer.json").read_text())["added_tokens"]
    decoder = {str(t["id"]): {k: v for k, v in t.items() if k != "id"} for t in tokens}
    edit(folder / "tokenizer_config.json", lambda j: (j.pop("backend"), j.update(
        added_tokens_decoder=decoder, extra_special_tokens={}, eos_token="<|assistant_end|>",
        tokenizer_class="PreTrainedTokenizerFast")))
    named = {"bos_token": "<s>", "eos_token": "<|assistant_end|>", "pad_token": "<pad>"}
    for name, token in named.items():
        named[name] = {"content": token, "lstrip": False, "normalized": False, "rstrip": False,
                       "single_word": False}
    (folder / "special_tokens_map.json").write_text(json.dumps(named, indent=2))


def token_objects(folder):
    """Special tokens as objects, as transformers 3 and 4 wrote them."""
    plain(folder)
    token = lambda text: dict(__type="AddedToken", content=text, lstrip=False, normalized=True,
                              rstrip=False, single_word=False)
    settings(folder, bos_token=token("<s>"), eos_token=token("<|assistant_end|>"))


def tokens_in_map(folder):
    """Special tokens in special_tokens_map.json alone."""
    plain(folder)
    tokens = dict(bos_token="<s>", eos_token=dict(
        content="<|assistant_end|>", lstrip=False, normalized=False, rstrip=False, single_word=False))
    edit(folder / "tokenizer_config.json", lambda j: [j.pop(key) for key in tokens])
    (folder / "special_tokens_map.json").write_text(json.dumps(tokens, indent=2))


def no_settings(folder):
    plain(folder)
    (folder / "tokenizer_config.json").unlink()


def used_once(folder):
    """Saved after a call with padding and truncation, whose state the file keeps."""
    wrapped = save(folder, trained())
    wrapped(["a b c", "d"], padding=True, truncation=True, max_length=8, pad_to_multiple_of=8)
    wrapped.save_pretrained(folder)


def fixed_length(folder):
    plain(folder)
    padding = dict(strategy={"Fixed": 24}, direction="Left", pad_to_multiple_of=None, pad_id=3,
                   pad_type_id=0, pad_token="<pad>")
    truncation = dict(direction="Left", max_length=6, strategy="LongestFirst", stride=0)
    edit(folder / "tokenizer.json", lambda j: j.update(padding=padding, truncation=truncation))


def merges_as_text(folder):
    plain(folder)
    edit(folder / "tokenizer.json", lambda j: j["model"].update(
        merges=[" ".join(pair) for pair in j["model"]["merges"]]))


def unreachable(ignore_merges):
    """A word is a token, but no merge leads to it: it is taken whole if merges are ignored."""
    def change(j):
        vocab = j["model"]["vocab"]
        del vocab[next(token for token, id in vocab.items() if id == SIZE - 1)]
        del j["model"]["merges"][-1]
        vocab["\u0120Hello"] = SIZE - 1
        j["model"]["ignore_merges"] = ignore_merges
    return lambda folder: (plain(folder), edit(folder / "tokenizer.json", change))


def apertus15(folder):
    """Apertus 1.5: other spellings of tags become the model's own, which are matched after that."""
    tokenizer = trained()
    replace = lambda pattern, by: normalizers.Replace(Regex(pattern), by)
    tokenizer.normalizer = normalizers.Sequence([
        replace(r"<\|channel\|?>thought\s*\n", "<|inner_prefix|>"),
        normalizers.Replace("<thought>", "<|inner_prefix|>"), normalizers.Replace("<answer>", ""),
        replace(r"<\|inner_suffix\|>\s+", "<|inner_suffix|>"),
        normalizers.Replace("<think>", "<|inner_prefix|>"),
        normalizers.Replace("</think>", "<|inner_suffix|>")])
    save(folder, tokenizer)
    edit(folder / "tokenizer.json", lambda j: [t.update(special=False, normalized=True)
                                               for t in j["added_tokens"] if "inner" in t["content"]])


TAGS = ["<think>a</think>  b", "<|channel>thought\n x <|inner_suffix|>  y", "<thought><answer>z"]
# Apertus 2: runs of one character by a back-reference, all lengths bounded.
APERTUS2 = (
    r"[ \x{0F0B}\x{0027}\x{2019}]?(?<g>[^\s\p{N}])\k<g>{7}|"
    r"[ \x{0F0B}\x{0027}\x{2019}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|"
    r"[ \x{0F0B}\x{0027}\x{2019}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|"
    r"\p{N}| ?[^\s\p{L}\p{N}]{1,16}|\s{0,16}[\r\n]{1,16}|\s{1,16}(?!\S)|\s{1,16}"
)


def both_templates(folder):
    """chat_template.jinja stands in the place of the key, whatever names that has."""
    save(folder, trained(), chat_template=TEMPLATE)
    settings(folder, chat_template=[dict(name="default", template="{{ 'the other one' }}"),
                                    dict(name="rag", template="{{ 'a third' }}")])


def three_templates(folder):
    templates = {"default": TEMPLATE, "tool_use": TOOLS, "rag": "{{ x }}"}
    save(folder, trained(), chat_template=templates)


def qwen(folder, **more):
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    tokenizer = trained(split(QWEN2), special, normalizer=normalizers.NFC(),
                        post=processors.ByteLevel(trim_offsets=False))
    save(folder, tokenizer, bos=None, eos="<|im_end|>", pad="<|endoftext|>", unk=None, **more)


def only_in_settings(folder):
    """A token that only tokenizer_config.json names: it is added at the end."""
    save(folder, trained(size=SIZE - 2))
    settings(folder, eos_token="<|turn_end|>", extra_special_tokens=["<|extra|>"])


def metaspace(folder):
    """The BPE of Llama 2: words begin with a mark, unknown characters are bytes."""
    special = ["<unk>", "<s>", "</s>"] + [f"<0x{byte:02X}>" for byte in range(256)]
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")])
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse(),
         decoders.Strip(" ", 1, 0)])
    alphabet = list("\u2581abcdefghijklmnopqrstuvwxyz.,`<>HTV")
    lines = (HERE / "../../../models/heldout.txt").read_text().splitlines()
    trainer = trainers.BpeTrainer(vocab_size=SIZE, special_tokens=special, show_progress=False,
                                  initial_alphabet=alphabet, limit_alphabet=len(alphabet))
    words = [word for line in lines for word in line.split()]
    tokenizer.train_from_iterator(words, trainer)
    tokenizer.post_processor = bos_template()
    save(folder, tokenizer, pad=None)
    def change(j):  # Of the special tokens of training, only three are special.
        j["added_tokens"] = j["added_tokens"][:3]
    edit(folder / "tokenizer.json", change)


def normalized(*steps):
    chain = steps[0] if len(steps) == 1 else normalizers.Sequence(list(steps))
    return lambda folder: save(folder, trained(normalizer=chain))


def post(processor, bos="<s>", **keys):
    def make(folder):
        save(folder, trained(post=processor), bos=bos)
        settings(folder, **keys)
    return make


def pre(tokenizer, ignore_merges=False):
    def make(folder):
        save(folder, trained(tokenizer))
        edit(folder / "tokenizer.json", lambda j: j["model"].update(ignore_merges=ignore_merges))
    return make


WORD = [AddedToken("cat", single_word=True, special=False, normalized=False)]
STRIP = [
    AddedToken("<l>", lstrip=True, special=True, normalized=False),
    AddedToken("<r>", rstrip=True, special=True, normalized=False),
    AddedToken("<b>", lstrip=True, rstrip=True, special=False, normalized=False),
]
USER = [
    AddedToken("fn main", special=False, normalized=False),
    AddedToken("Stra\u00dfe", special=False, normalized=True),
    AddedToken("\n\n", special=False, normalized=False),
]
NORMALIZED = [AddedToken("HELLO", special=False, normalized=True)]

# Name, what it shows, how it is made, prompts beside the common ones.
CASES = [
    ("plain", "BOS by the template, EOS </s>", plain, []),
    ("bos_none", "a BOS token that nothing adds", post(processors.ByteLevel(trim_offsets=True)), []),
    ("bos_no_token", "no BOS token at all", post(None, bos=None), []),
    ("bos_setting_false", "add_bos_token false beside a template with BOS",
     post(bos_template(), add_bos_token=False), []),
    ("bos_setting_true", "add_bos_token true without a template",
     post(None, add_bos_token=True), []),
    ("bos_in_sequence", "the template inside a sequence",
     post(processors.Sequence([processors.ByteLevel(trim_offsets=False), bos_template()])), []),
    ("bos_setting_null", "add_bos_token null beside a template with BOS",
     post(bos_template(), add_bos_token=None), []),
    ("prefix_two", "a template that puts two tokens before texts", post(
        processors.TemplateProcessing(single="<s> <|system_start|> $A", pair="<s> $A $B",
                                      special_tokens=[("<s>", 1), ("<|system_start|>", 4)])), []),
    ("eos_added", "a template that ends texts", post(bos_template(" </s>")), []),
    ("older_settings", "tokenizer_config.json of transformers 4", older_settings, []),
    ("token_objects", "special tokens as objects", token_objects, []),
    ("tokens_in_map", "special tokens in special_tokens_map.json", tokens_in_map, []),
    ("no_settings", "no tokenizer_config.json", no_settings, []),
    ("used_once", "truncation and padding of a call", used_once, []),
    ("fixed_length", "truncation from the left, padding to a length", fixed_length, []),
    ("merges_as_text", "merges as older files write them", merges_as_text, []),
    ("ignores_merges", "ignore_merges", unreachable(True), ["x Hello Hello"]),
    ("keeps_merges", "ignore_merges false, a token that merges do not reach", unreachable(False),
     ["x Hello Hello"]),
    ("nfc", "NFC", normalized(normalizers.NFC()), []),
    ("nfkc_strip", "NFKC, then Strip", normalized(normalizers.NFKC(), normalizers.Strip()), []),
    ("lowercase", "Lowercase", normalized(normalizers.Lowercase()), []),
    ("replace", "Replace by a string and by a pattern",
     normalized(normalizers.Replace("`", "'"), normalizers.Replace(Regex(" +"), " ")), []),
    ("prepend", "Prepend", normalized(normalizers.Prepend(" ")), []),
    ("no_steps", "an empty sequence of normalizers", lambda folder: save(
        folder, trained(normalizer=normalizers.Sequence([]))), []),
    ("strip", "added tokens that take the spaces beside them", lambda folder: added(folder, STRIP),
     ["a <l> b", "a <r> b", "a <b> b", " <l>", "<r> ", "a<b>b", "<s>  <b>  </s>"]),
    ("single_word", "an added token that is a whole word", lambda folder: added(folder, WORD),
     ["cat", "a cat.", "concatenate", "cats cat", " cat "]),
    ("user_tokens", "added tokens that are text", lambda folder: added(folder, USER),
     ["fn main() {", "xfn mainx", "Stra\u00dfe\n\n\n", "a\n\nb"]),
    ("normalized_token", "an added token matched after Lowercase", lambda folder: (
        added(folder, NORMALIZED), edit(folder / "tokenizer.json", lambda j: j.update(
            normalizer={"type": "Lowercase"}))), ["Hello HELLO hello"]),
    ("only_in_settings", "tokens that only tokenizer_config.json names", only_in_settings,
     ["a<|turn_end|>b <|extra|>"]),
    ("fewer_tokens", "fewer tokens than rows", lambda folder: save(folder, trained(size=340)), []),
    ("gpt2_words", "GPT-2's words", pre(byte_level()), []),
    ("llama3_words", "Llama 3's words", pre(split(LLAMA3), True), []),
    ("digit_words", "digits alone, GPT-2's words", pre(pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), byte_level()])), []),
    ("own_words", "words by a pattern of its own", pre(split(r"\w+|\s+|[^\w\s]")), []),
    ("apertus15_tags", "the tags of Apertus 1.5", apertus15, TAGS),
    ("apertus2_words", "the words of Apertus 2, no post-processor", lambda folder: save(
        folder, trained(split(APERTUS2), normalizer=normalizers.NFC(), post=None)),
     ["aaaaaaaaaaaaa  l\u2019homme !!!!!!!!!!!!!!!!!!!!!!!!!", " " * 40 + "x" + "\n" * 20]),
    ("prefix_space", "a space before the first word", pre(
        pre_tokenizers.ByteLevel(add_prefix_space=True)), []),
    ("metaspace", "the BPE of Llama 2", metaspace, []),
    ("template_file", "chat_template.jinja", lambda folder: save(
        folder, trained(), chat_template=TEMPLATE), []),
    ("template_key", "a template in tokenizer_config.json", lambda folder: save(
        folder, trained(), chat_template=TEMPLATE, jinja=False), []),
    ("templates_listed", "a list of named templates in tokenizer_config.json", lambda folder: save(
        folder, trained(), chat_template={"default": TEMPLATE, "tool_use": TOOLS}, jinja=False), []),
    ("templates_in_files", "named templates as files", three_templates, []),
    ("template_twice", "both a file and a key", both_templates, []),
]


def load(folder):
    return AutoTokenizer.from_pretrained(folder)
