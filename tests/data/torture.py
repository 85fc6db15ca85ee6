"""Writes torture.txt: text that tokenizers disagree about. Needs nothing but Python 3.

Every general category with the first, the last and some more of its characters, alone and between
letters, digits and spaces; then sequences that people write.
"""

import unicodedata
from pathlib import Path

by_category = {}
for code in range(0x110000):
    category = unicodedata.category(chr(code))
    if category not in ("Cs", "Co") and chr(code) not in "\n\r":
        by_category.setdefault(category, []).append(chr(code))

lines = []
for category, characters in sorted(by_category.items()):
    step = max(1, len(characters) // 12)
    for c in [characters[0], *characters[1::step], characters[-1]]:
        lines.append(f"{c} a{c}b {c}{c} A{c}B 1{c}2 .{c}. '{c}")

lines += [
    "👩‍👩‍👧‍👦 👍🏽 🏳️‍🌈 🇨🇭🇺🇳 #️⃣ 🙂🙂🙂",
    "e\u0301 n\u0303 o\u0308\u0304 Z\u0351\u036b\u0343a\u0321\u034el\u0354\u034dg\u0348o\u0322",
    "日本語のテキスト、中文文本。한국어 텍스트 ㅋㅋㅋ カタカナ ひらがな 漢字kanji123",
    "שלום עולם مرحبا بالعالم \u202eabc\u202c ١٢٣٤ ۱۲۳ नमस्ते दुनिया สวัสดีชาวโลก",
    "\u0000\u0001\u0007\u0008\u000b\u000c\u001b[31m\u007f\u0085\u00a0\u00ad\u200b\u2028\u2029\ufeff",
    "I'm we'RE they'Ve he'LL it'ſ don'T ''s 'd'd 'l 'r ' s I’m",
    "camelCaseHTTPServer ǅungla ʰaspirated Straße ΣΊΣΥΦΟΣ Ⅻ ½ ² 1234567 12,345.67 0x1F",
    "x = a/b //comment\t\t/* c */ <|not_special|> <s></s> $100+20=120 ~~^^||",
    "a" * 3000,
    " " * 700 + "x" + "\t" * 300 + " y",
    "!" * 500 + "?/" * 200,
    "日" * 400 + "A" * 400 + "é" * 400,
    "0" * 301,
    "ab" * 600 + " " + "' " * 100,
]
text = "\n".join(lines) + "\n" * 40 + " \n \r\n\t\r\r\n  end" + "\r\n" * 9 + "   "
Path(__file__).with_name("torture.txt").write_bytes(text.encode())
