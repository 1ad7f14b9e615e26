#!/usr/bin/env python3
"""Writes the fuzzers' first inputs, made from proto/vectors/frames.

usage: fuzz/corpus.py FOLDER   makes FOLDER/headers and FOLDER/frames
"""

import hashlib
import json
import sys
from pathlib import Path

VECTORS = Path(__file__).resolve().parent.parent / "proto" / "vectors" / "frames"


def put(folder: Path, content: bytes) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / hashlib.sha1(content).hexdigest()).write_bytes(content)


def main(target: Path) -> None:
    count = 0
    for path in sorted(VECTORS.glob("*.json")):
        for vector in json.loads(path.read_text()):
            frame = bytes.fromhex(vector["hex"])
            if len(frame) > 4096:
                continue
            put(target / "headers", frame[8:])
            # Two bytes in front choose how the fuzzer cuts the rest.
            put(target / "frames", bytes([count % 256, count // 3 % 256]) + frame + frame)
            count += 1
    large = b'{"op":"data","id":1}'
    content = bytes(range(256)) * 160
    frame = len(large).to_bytes(4, "big") + len(content).to_bytes(4, "big") + large + content
    for cut in range(0, 80, 2):
        put(target / "frames", bytes([cut, cut]) + frame + frame[:30])


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
