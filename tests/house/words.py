#!/usr/bin/env python3
"""The texts of src/cli/words.tbl and other tables of words: both languages are there and take the same arguments in the same order, and each is used."""
import pathlib
import re
import sys

src = pathlib.Path(__file__).resolve().parents[2] / "src"
table = (src / "cli/words.tbl").read_text()
string = r'("(?:[^"\\]|\\.)*")'
words = re.findall(r"^WORD\((\w+),\s*" + string + r",\s*" + string + r"\)$", table, re.M)
bad = []
if len(words) != len(re.findall(r"^WORD\(", table, re.M)):
    bad.append("a line of words.tbl is not WORD(NAME, \"English\", \"Dutch\")")
used = "".join(p.read_text() for p in (src / "cli").glob("*.c"))


def arguments(text):
    return re.findall(r"%[-+ #0]*(?:\*|\d+)?(?:\.(?:\*|\d+))?(?:hh|h|ll|l|z|j|t)?[diouxXeEfgGcsp]", text.replace("%%", ""))


for name, en, nl in words:
    if arguments(en) != arguments(nl):
        bad.append(f"{name}: English takes {arguments(en)}, Dutch {arguments(nl)}")
    if en.endswith('\\n"') != nl.endswith('\\n"'):
        bad.append(f"{name}: one ends its line, the other does not")
    if not re.search(rf"\b{name}\b", used):
        bad.append(f"{name} is not used")
for path, macro, used in (("alert/mail.tbl", "MAIL", (src / "alert/mail.c").read_text()), ("alert/next.tbl", "NEXT", "")):
    text = (src / path).read_text()
    rows = re.findall(rf"^{macro}\((\w+)(?:, [A-Z]+)?,\s*" + string + r",\s*" + string + r"\)$", text, re.M)
    if not rows or len(rows) != len(re.findall(rf"^{macro}\(", text, re.M)):
        bad.append(f"a line of {path} is not {macro}(NAME, \"English\", \"Dutch\")")
    for name, en, nl in rows:
        if arguments(en) != arguments(nl) or re.findall(r"\{\w+\}", en) != re.findall(r"\{\w+\}", nl):
            bad.append(f"{path}: {name}: English and Dutch take different arguments")
        if used and not re.search(rf"\b{name}\b", used) and name not in ("M_PROBE", "M_ATTEMPT", "M_TRACE"):  # M_COMPROMISE + class
            bad.append(f"{path}: {name} is not used")
    words += rows
# What pages say to an error or note is chosen by the rooms and programs above.
text = (src / "gateway/words.tbl").read_text()
rows = re.findall(r"^WORD\((\w+),\s*" + string + r",\s*" + string + r"\)$", text, re.M)
used = "".join(p.read_text() for room in ("gateway", "proxy", "roles") for p in (src / room).glob("*.c"))
if not rows or len(rows) != len(re.findall(r"^WORD\(", text, re.M)):
    bad.append("a line of gateway/words.tbl is not WORD(NAME, \"English\", \"Dutch\")")
for name, en, nl in rows:
    if arguments(en) != arguments(nl):
        bad.append(f"gateway/words.tbl: {name}: English takes {arguments(en)}, Dutch {arguments(nl)}")
    if set(arguments(en)) - {"%s", "%u"} or len(arguments(en)) > 2:
        bad.append(f"gateway/words.tbl: {name}: page_fill knows two of %s and %u")
    if not re.search(rf"\b{name}\b", used) and not re.match(r"PW_[ENTM]_", name):
        bad.append(f"gateway/words.tbl: {name} is not used")
words += rows
for line in bad:
    print(line)
print(f"{len(words)} words, {len(bad)} wrong")
sys.exit(1 if bad or len(words) < 20 else 0)
