#!/usr/bin/env python3
"""Writes the files of web/ into a C source: page_files of gateway/page_priv.h. usage: embed.py OUT FILE..."""
import hashlib
import pathlib
import sys

TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}

out, names = pathlib.Path(sys.argv[1]), sys.argv[2:]
arrays, rows = [], []
for i, name in enumerate(sorted(names, key=lambda n: pathlib.Path(n).name)):
    path = pathlib.Path(name)
    body = path.read_bytes()
    octets = ",".join(str(b) for b in body)
    arrays.append(f"static const unsigned char body_{i}[] = {{ {octets} }};")
    link = f"/-/{path.stem}.{hashlib.sha256(body).hexdigest()[:16]}{path.suffix}"
    rows.append(f'\t{{ "{link}", "{path.name}", LIT("{TYPES[path.suffix]}"), {{ body_{i}, sizeof body_{i} }} }},')
out.write_text('#include "gateway/page_priv.h"\n\n' + "\n".join(arrays) + "\n\nconst struct page_file page_files[] = {\n" + "\n".join(rows) +
    "\n};\nconst size_t page_file_count = COUNT_OF(page_files);\n")
