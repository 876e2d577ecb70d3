"""What a baresip says and hears, with the time of each message: it prints its SIP trace without any."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import IO, Final

COMMAND: Final = ("stdbuf", "-oL")
"""In front of baresip's own: each line as it is printed, or the times were those of its buffer."""
_MARK: Final = b"\x1b[36;1m#\n"
"""The end of the line before a message."""
_MESSAGE: Final = re.compile(r"^#(\d+\.\d+)\n\S+ (\S+) -> \S+\n(\S[^\n]*)\n(.*?)\n\n", re.MULTILINE | re.DOTALL)
_CSEQ: Final = re.compile(r"^CSeq: *(.*)$", re.MULTILINE | re.IGNORECASE)


def copy_with_times(stream: IO[bytes], path: Path) -> None:
    """Until it ends; the line before each message becomes `#` and the seconds of `time.monotonic`."""
    with stream, path.open("wb") as log:
        for line in stream:
            log.write(line.replace(_MARK, b"\n#%.3f\n" % time.monotonic()))
            log.flush()


def messages(log: str, port: int) -> list[tuple[float, str]]:
    """When, and `-> START-LINE  CSEQ` for what the phone at this port sent, `<-` for what it heard."""
    found = []
    for at, source, start, head in _MESSAGE.findall(log):
        cseq = _CSEQ.search(head)
        arrow = "->" if source.endswith(f":{port}") else "<-"
        found.append((float(at), f"{arrow} {start}  {cseq[1].strip() if cseq else ''}"))
    return found
