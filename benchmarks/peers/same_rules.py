"""Does the Java client decode as clicktrail does? ``python -m benchmarks.peers.same_rules [EVENTS]``; needs no server.

Each simulated message, the bad ones of every kind among them, must give the same bytes of JSON or the same reason.
"""

from __future__ import annotations

import struct
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console

from benchmarks.peers import java_client
from clicktrail.job.decode import decode
from clicktrail.simulate import Order, clicks

_RECEIVED_AT = 1_900_000_000_000  # as DecodeAll.java has it


def main() -> int:
    """Compare; 1 where anything differs."""
    console = Console()
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    messages = list(clicks(Order(1, "same rules", count, visitors=max(100, count // 20), invalid=0.05)))
    java_client.prepare()
    with tempfile.TemporaryDirectory(dir=java_client.BUILD) as folder:
        records, decoded = Path(folder) / "records", Path(folder) / "decoded"
        records.write_bytes(b"".join(map(_framed, (part for message in messages for part in message))))
        command = java_client.command("peer.DecodeAll", str(records), str(decoded), options=("-Xmx2g",))
        said = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1]
        lines = decoded.read_bytes().split(b"\n")[:-1]
    differing = 0
    for offset, ((key, value), line) in enumerate(zip(messages, lines, strict=True)):
        outcome = decode(value, key, _RECEIVED_AT, "topic", 1, offset)
        wanted = outcome.json if outcome.reason is None else b"!" + outcome.reason.encode()
        if line != wanted:
            differing += 1
            if differing <= 3:
                console.print(f"message {offset}: {line[:600]!r}, not {(wanted or b'')[:600]!r}", highlight=False)
    console.print(f"{count:,} messages, {differing} differ; {said} ns an event in Java, warm", highlight=False)
    return 1 if differing else 0


def _framed(part: bytes | None) -> bytes:
    return struct.pack(">i", -1) if part is None else struct.pack(">i", len(part)) + part


if __name__ == "__main__":
    sys.exit(main())
