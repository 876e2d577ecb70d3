"""What real clients were seen to do, by client and transport: recorded from the server's trace, as a table in README.md.

    python -m tests.interop.matrix RECORD      writes the table between its marks; status 1 when it was another

A test that has a client in a call says `record(hops, client, user)`; what the client did is read from the messages alone. Where
no file is named in the environment nothing is kept.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from tests.interop.server import Hop
from tests.interop.wire import direction

README: Final = Path(__file__).resolve().parents[2] / "README.md"
RECORD: Final = "INTEROP_RECORD"
"""Names the file in the environment."""
BEGIN, END = "<!-- written by make interop -->", "<!-- up to here -->"
ROWS: Final = (
    ("baresip 1.0", "udp"), ("baresip 1.0", "tcp"), ("baresip 1.0", "tls"), ("PJSIP 2.15", "udp"), ("PJSIP 2.15", "tcp"),
    ("PJSIP 2.15", "tls"), ("SIPp 3.6", "udp"), ("SIPp 3.6", "tcp"), ("JsSIP 3.13 in Chromium", "ws"),
    ("JsSIP 3.13 in Chromium", "wss"), ("openssl s_client", "tls"),
)  # fmt: skip
ACTIONS: Final = ("registers", "calls", "is called", "holds", "resumes", "is held", "hangs up", "is hung up on")
_ANSWERED_HOLD: Final = ("recvonly", "inactive")


def seen(hops: Sequence[Hop], user: str) -> set[tuple[str, str]]:
    """(action, transport) of whatever this user's phone did, by requests that got a 200 from it or for it."""
    answers = {
        (hop.way[::-1], hop.message.branch, hop.message.cseq): hop.message
        for hop in hops
        if hop.message.status == 200 and user in hop.way and "SM" in hop.way
    }
    found: set[tuple[str, str]] = set()
    directions = {True: "sendrecv", False: "sendrecv"}
    for hop in hops:
        message = hop.message
        answer = answers.get((hop.way, message.branch, message.cseq)) if message.method else None
        if answer is None or hop.retransmission:
            continue
        ours = hop.source == user
        if message.method == "REGISTER" and ours and message.get("Expires") != "0":
            found.add(("registers", hop.transport))
        elif message.method == "BYE":
            found.add(("hangs up" if ours else "is hung up on", hop.transport))
        elif message.method == "INVITE" and "tag=" not in message.get("To"):
            found.add(("calls" if ours else "is called", hop.transport))
        elif message.method == "INVITE" and message.body:
            offered, agreed = direction(message.body), direction(answer.body)
            if ours and offered == "sendonly" and agreed in _ANSWERED_HOLD:
                found.add(("holds", hop.transport))
            elif ours and offered == "sendrecv" and directions[True] == "sendonly":
                found.add(("resumes", hop.transport))
            elif not ours and offered == "sendonly" and agreed in _ANSWERED_HOLD:
                found.add(("is held", hop.transport))
            directions[ours] = offered
    return found


def record(hops: Sequence[Hop], client: str, user: str) -> None:
    """Keep what this client did, one JSON line each."""
    path = os.environ.get(RECORD)
    if not path:
        return
    with open(path, "a", encoding="utf-8") as lines:
        for action, transport in sorted(seen(hops, user)):
            lines.write(json.dumps({"client": client, "transport": transport, "action": action}) + "\n")


def table(lines: Iterable[str]) -> str:
    """The table in Markdown of all that was recorded; KeyError for a client or action that it has no place for."""
    done: dict[tuple[str, str], set[str]] = {row: set() for row in ROWS}
    for line in lines:
        entry = json.loads(line)
        if entry["action"] not in ACTIONS:
            raise KeyError(entry["action"])
        done[entry["client"], entry["transport"]].add(entry["action"])
    head = f"| Client | Transport | {' | '.join(ACTIONS)} |\n|---|---|{'---|' * len(ACTIONS)}\n"
    rows = (
        f"| {client} | {transport} | {' | '.join('yes' if action in did else '–' for action in ACTIONS)} |\n"
        for (client, transport), did in done.items()
    )
    return head + "".join(rows)


def in_readme(text: str) -> str:
    """The table that stands there."""
    found = re.search(rf"{re.escape(BEGIN)}\n\n(.*?)\n{re.escape(END)}", text, re.DOTALL)
    if found is None:
        raise ValueError(f"no place between {BEGIN} and {END}")
    return found[1]


def main() -> int:
    """See the module."""
    with open(sys.argv[1], encoding="utf-8") as lines:
        made = table(lines)
    text = README.read_text(encoding="utf-8")
    there = in_readme(text)
    if there == made:
        print("README.md has the table of what was seen")
        return 0
    README.write_text(text.replace(there, made), encoding="utf-8")
    print(f"README.md had another table of what clients do; it now has what was seen:\n\n{made}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
