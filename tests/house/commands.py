#!/usr/bin/env python3
"""Every `sluis COMMAND --option` that people read in rules, in what to do after an alert, and in the documentation is a command of
src/cli/commands.tbl and an option of its help. Run from the root of the repository."""
import pathlib
import re
import sys

STRING = r'"((?:[^"\\]|\\.)*)"'
TABLE = re.compile(rf'^COMMAND(?:_AS)?\((\w+), (?:"([a-z-]+)", )?{STRING}, {STRING}, {STRING}, {STRING}, {STRING}\)$', re.M)
SHARED = {"-c": 1, "--config": 1, "-s": 1, "--socket": 1, "--rules": 1, "--lang": 1, "--json": 0, "--help": 0}  # of all; how many values
CALL = re.compile(r"(?<![\w.-])sluis((?: (?:-c|--config|-s|--socket|--rules|--lang) \S+)*) ([a-z][a-z-]*)((?:(?!(?<![\w.-])sluis ).)*)", re.S)
PROSE = {"command"}  # "the sluis command"


def commands():
    rows = TABLE.findall(pathlib.Path("src/cli/commands.tbl").read_text())
    return {name or symbol: set(re.findall(r"--[a-z][a-z-]*", options)) for symbol, name, _args, _help, _more, options, _example in rows}


def code_of(markdown):
    """(line number, text, is it code): code lines with their continuations, spans, and what is between."""
    lines, is_block, n = markdown.splitlines(), False, 0
    while n < len(lines):
        line, at = lines[n], n + 1
        n += 1
        if line.startswith("```"):
            is_block = not is_block
        elif is_block or line.startswith("    "):
            while line.endswith("\\") and n < len(lines):
                line, n = line[:-1] + lines[n], n + 1
            yield at, re.sub(r"#.*", "", line), True
        else:
            for i, part in enumerate(re.split(r"`", line)):
                yield at, part, i % 2 == 1


def texts():
    for path in sorted(pathlib.Path("docs").glob("*.md")) + [pathlib.Path("README.md")]:
        for at, text, is_code in code_of(path.read_text()):
            yield f"{path}:{at}", text, is_code
    for path in sorted(pathlib.Path("rules").rglob("*.yaml")) + [pathlib.Path("src/alert/next.tbl")]:
        for at, line in enumerate(path.read_text().splitlines(), 1):
            yield f"{path}:{at}", line, True


def faults(known):
    for where, text, is_code in texts():
        for shared, name, rest in CALL.findall(text):
            if name in PROSE:
                continue
            yield 1, None
            if name not in known:
                yield 0, f"{where}: sluis {name} is no command"
                continue
            own = re.split(r"&&|[|;>]|\. |\.\"|\.$", re.sub(r"'[^']*'", "", rest))[0] if is_code else ""
            for option in re.findall(r"(?<![\w-])--[a-z][a-z-]*", own):
                if option not in known[name] and option not in SHARED:
                    yield 0, f"{where}: sluis {name} has no option {option}"


table = commands()
found = list(faults(table))
bad = [line for _, line in found if line]
for line in bad:
    print(line)
count = sum(n for n, _ in found)
print(f"{len(table)} commands, {count} places that name one, {len(bad)} wrong")
sys.exit(1 if bad or len(table) < 20 or count < 100 else 0)
