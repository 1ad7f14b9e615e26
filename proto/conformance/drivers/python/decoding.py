"""What the client's own decoder makes of bytes."""

from __future__ import annotations

from typing import Any

from coagent_client._wire import Decoder


async def decode(command: dict[str, Any]) -> dict[str, Any]:
    """Feeds the bytes in the pieces that the command wants."""
    data = bytes.fromhex(command["hex"])
    split = command.get("split", "whole")
    if split == "whole":
        sizes = [len(data)]
    elif split == "bytes":
        sizes = [1] * len(data)
    else:
        sizes = split
    decoder = Decoder()
    frames = []
    at = fed = 0
    for size in [*sizes, len(data)]:
        piece = data[at : at + size]
        at += size
        fed += len(piece)
        for op, ident, fields, content in decoder.feed(piece):
            header = {**({"op": op} if op else {}), **({"id": ident} if ident else {}), **fields}
            frames.append({"header": header, "content_hex": content.hex()})
    if decoder.error is not None:
        return {"fatal": decoder.error.reason, "frames": frames}
    return {"frames": frames, "rest": len(decoder._held)}
