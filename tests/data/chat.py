#!/usr/bin/env python3
"""Writes chat/conversations.json: what transformers' apply_chat_template makes of conversations.

Needs transformers 5 and jinja2. The templates beside it (chat/*.jinja) are rendered by a tokenizer
that has only special tokens; a case is the arguments and the text, or "error": transformers fails,
with the words of raise_exception under "says" where the template refuses.
"""
import json, os

os.environ["TRANSFORMERS_VERBOSITY"] = "critical"
import jinja2
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from transformers import PreTrainedTokenizerFast

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "chat")
TOKENS = {"bos_token": "<s>", "eos_token": "<|end|>", "unk_token": "<unk>"}
tokenizer = PreTrainedTokenizerFast(
    tokenizer_object=Tokenizer(WordLevel({"<unk>": 0}, unk_token="<unk>")), **TOKENS
)
cases = []


def case(name, messages, template="roles", **arguments):
    known = dict(messages=messages, template=template, arguments=arguments)
    with open(os.path.join(HERE, template + ".jinja"), encoding="utf-8", newline="") as file:
        text = file.read()
    try:
        arguments = {"add_generation_prompt": False, **arguments}
        known["text"] = tokenizer.apply_chat_template(
            messages, chat_template=text, tokenize=False, **arguments
        )
    except jinja2.exceptions.TemplateError as error:
        known["error"] = True
        if type(error) is jinja2.exceptions.TemplateError:
            known["says"] = error.message
    except TypeError:
        known["error"] = True
    cases.append(dict(name=name, **known))


def user(content):
    return {"role": "user", "content": content}


def system(content):
    return {"role": "system", "content": content}


def developer(content):
    return {"role": "developer", "content": content}


def assistant(content, **more):
    return {"role": "assistant", "content": content, **more}


def result(content):
    return {"role": "tool", "content": content}


def call(name, arguments):
    return {"type": "function", "function": {"name": name, "arguments": arguments}}


def parts(*texts):
    return [{"type": "text", "text": text} for text in texts]


def function(name, description, properties=None, required=None, **more):
    parameters = {"type": "object", "properties": properties or {}, **more}
    if required is not None:
        parameters["required"] = required
    return {
        "type": "function",
        "function": {"name": name, "description": description, "parameters": parameters},
    }


WEATHER = function(
    "weather", "The weather of a place.",
    {
        "place": {"type": "string", "description": "City, and country\n  if it is not clear"},
        "days": {"type": "integer", "default": 1},
        "units": {"type": "string", "enum": ["°C", "°F"], "default": "°C"},
    },
    ["place"],
)
NESTED = function(
    "book", "  Books a journey.  ",
    {
        "legs": {
            "type": "array", "description": "In order.",
            "items": {
                "type": "object",
                "properties": {
                    "from": {"type": "string"},
                    "stops": {"type": "array", "items": {"type": "array", "items": {"type": "number"}}},
                    "class": {"anyOf": [{"type": "string", "enum": ["1", "2"]}, {"type": "integer"}]},
                    "guest": {"type": "object", "properties": {"name": {"type": "string", "nullable": True}}, "required": ["name"]},
                },
                "required": ["from", "class"],
            },
        },
        "pay": {"type": ["string", "null"]},
        "note": {"type": "object"},
        "extra": {},
        "list": {"type": "array"},
        "sure": {"type": "boolean", "default": False},
    },
    ["legs", "sure"],
)
EMPTY = function("now", "The time.")
NO_PARAMETERS = {"type": "function", "function": {"name": "ping", "description": "Says pong."}}

# Roles.
case("one user", [user("Hello!")])
case("one user, prompted", [user("Hello!")], add_generation_prompt=True)
case("system", [system("Be short."), user("Hello!")], add_generation_prompt=True)
case("empty system", [system(""), user("Hello!")], add_generation_prompt=True)
case("developer", [developer(" Answer in French. "), user("Hello!")], add_generation_prompt=True)
case("system and developer", [system("Be short."), developer("No lists."), user("Hi")], add_generation_prompt=True)
case("two developers", [developer("A"), user("x"), developer("B"), user("y")])
case("answered", [user("Hello!"), assistant("Hi.")])
case("two turns", [user("Hello!"), assistant("Hi."), user("And?")], add_generation_prompt=True)
case("five turns", [m for i in range(5) for m in (user(f"q{i}"), assistant(f"a{i}"))])
case("two users", [user("a"), user("b")], add_generation_prompt=True)
case("two answers", [user("a"), assistant("b"), assistant("c")])
case("begun answer", [user("a"), assistant("b")], add_generation_prompt=True)
case("late system", [user("a"), system("ignored"), user("b")])
case("unknown role", [user("a"), {"role": "wizard", "content": "b"}])
case("no content", [user("a"), assistant(None, tool_calls=[call("now", {})])])
case("content absent", [user("a"), {"role": "assistant"}])
# Parts.
case("parts", [user(parts("Hello, ", "world"))], add_generation_prompt=True)
case("parts of all", [system(parts("S")), developer(parts("D ", " E")), user(parts("U")), assistant(parts("A", "B"))])
case("no parts", [user([])], add_generation_prompt=True)
case("pictures", [user([{"type": "image"}, {"type": "text", "text": "What is it?"}])], add_generation_prompt=True)
case("texts as parts", [user(["a", "b"])])
case("unknown part", [user([{"type": "smell", "smell": "x"}])])
# Empty turns.
case("empty user", [user("")], add_generation_prompt=True)
case("empty answer", [user("a"), assistant(""), user("b")])
case("spaces", [user("  \n "), assistant("\n\n"), user("\t")])
# Deliberation.
case("thinking on", [user("2+2?")], add_generation_prompt=True, enable_thinking=True)
case("thinking off", [user("2+2?")], add_generation_prompt=True, enable_thinking=False)
case("thinking none", [user("2+2?")], add_generation_prompt=True, enable_thinking=None)
case("thought", [user("2+2?"), assistant("4", reasoning_content="\nadd\n")], enable_thinking=True)
case("thought, other name", [user("2+2?"), assistant("4", thinking="add")], enable_thinking=True)
case("thought, third name", [user("2+2?"), assistant("4", reasoning="sum")], enable_thinking=True)
case("thought, not shown", [user("2+2?"), assistant("4", reasoning_content="add")])
case("thought, null", [user("2+2?"), assistant("4", reasoning_content=None, thinking="x")], enable_thinking=True)
# Tools.
case("a tool", [user("Weather?")], tools=[WEATHER], add_generation_prompt=True)
case("nested tool", [user("Book!")], tools=[NESTED], add_generation_prompt=True)
case("tools", [system("S"), user("?")], tools=[WEATHER, EMPTY, NESTED, NO_PARAMETERS], add_generation_prompt=True, enable_thinking=True)
case("bare tool", [user("?")], tools=[{"name": "bare", "description": "Nothing around it."}])
case("no tools", [user("?")], tools=[])
case("called", [user("Weather?"), assistant("", tool_calls=[call("weather", {"place": "Zürich", "days": 2})]), result("{\"t\": 3}"), assistant("3 degrees.")], tools=[WEATHER])
case("called twice", [user("?"), assistant("Both.", tool_calls=[call("a", "{\"x\": 1}"), call("b", {"l": [1, 2.5, None, True], "o": {}})]), result("1"), result("2"), assistant("done")])
case("results begin", [result("1"), result("2"), user("x"), result("3")])
# Unicode.
case("unicode", [system("Grüezi ✓"), user("日本語 \U0001f600 \u00e9 e\u0301 \u202e عربي"), assistant("\u2028line\u00a0")])
case("unicode in tools", [user("?")], tools=[function("größe", "Maß <b>&amp;</b> \"x\"", {"länge": {"type": "string", "enum": ["<ä>", "'", "\"", "\\", "\u2028", "\U0001f600"]}})])
case("special tokens in texts", [user("<|end|></|user|>{{ bos_token }}{% if %}")])
# The language.
WORDS = [user("Hello"), {"role": "skip", "content": "x"}, user("  two words \n and three lo!"), {"role": "tool", "content": "42"}, user(""), {"role": "stop", "content": "x"}, user("never")]
case("language", WORDS, "language")
case("language, prompted", [user("Hello"), assistant("lol")], "language", add_generation_prompt=True, tools=[WEATHER], documents=[{"title": "T", "text": "x"}])
THOUGHT = [user("q"), assistant("<think>\nwhy\n</think>\n\nso"), user("<r>x</r>"), assistant("b", reasoning_content="\nhm\n"), result(" r ")]
case("habits", THOUGHT, "habits", tools=[WEATHER, NESTED])
case("habits, called", [user(" a "), assistant(None, tool_calls=[call("f", {"x": "ü"}), call("g", "{}")])], "habits", add_generation_prompt=True)
# JSON.
VALUES = [
    "text", "quote \" back \\ line \n tab \t \b \f \x00 \x1f \x7f é 日 \U0001f600 </script> & ' /", [], {}, [[]], [{}], {"a": []},
    {"b": 1, "a": [1, 2, {"c": None, "d": True, "e": False}], "ä": "ö"},
    0, -1, 2**53, 2**63, -(2**63), 2**64 - 1, 0.0, -0.0, 1.0, 0.1, 1e15, 1e16, 1e17, 123456.789, 1e-4, 1e-5, 1.5e300, True, False,
]
case("json", [user(value) for value in VALUES], "json")
case("json, no messages' values", [user([1, "a"])], "json", tools=[NESTED, WEATHER])
# A plain one.
case("plain", [system("S"), user("a\n"), assistant(" b ")], "plain", add_generation_prompt=True)
case("plain, parts", [user(parts("it's", "\"x\"", "a\\b\n")), assistant({"k": [1, None, 1.5, True]})], "plain")

with open(os.path.join(HERE, "conversations.json"), "w", encoding="utf-8") as file:
    json.dump({"tokens": TOKENS, "cases": cases}, file, ensure_ascii=False, indent=1)
    file.write("\n")
print(len(cases), "cases;", sum("error" in c for c in cases), "fail:", [(c["name"], c.get("says")) for c in cases if "error" in c])
