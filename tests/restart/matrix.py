"""The restart matrix: every state × action × transport at once, each a call of its own, over one `kill -9`.

    python -m tests.restart.matrix

writes what it found into b2bua/feature_server/README.md. Exit status 1 when a cell is red; each with its ladder.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Final

from tests.interop.server import Server
from tests.restart.cells import ACTIONS, SET_UP, STATES, TRANSPORTS, Cell, Key
from tests.restart.phone import Phone

KEYS: Final = tuple(Key(*key) for key in product(STATES, ACTIONS, TRANSPORTS))
USERS: Final = {str(number): f"secret-{number}-word" for number in range(6100, 6100 + 3 * len(KEYS))}
README: Final = Path(__file__).resolve().parents[2] / "b2bua" / "feature_server" / "README.md"
BEGIN, END = "<!-- restart matrix: begin -->\n", "<!-- restart matrix: end -->\n"
Gauges = dict[str, float]


@dataclass
class Found:
    """What a run of the matrix found: a complaint for each cell that is not green, and the gauges at the first scrape."""

    wrong: dict[Key, str]
    gauges: Gauges
    before: Gauges
    after: Gauges


def restarted(server: Server, store: str, options: tuple[str, ...] = ()) -> Server:
    """The next process on the same ports and store."""
    return Server(
        server.directory, server.host, server.users, store, options, server.port, server.more, http_port=server.http_port
    )


def run(directory: Path, host: str) -> tuple[Found, Server]:
    """All cells on a store in that directory; the second server still runs, and is its caller's to end."""
    return asyncio.run(_run(directory, host, f"sqlite:{directory / 'state.db'}"))


async def _run(directory: Path, host: str, store: str) -> tuple[Found, Server]:
    server = await asyncio.to_thread(lambda: Server(directory, host, USERS, store, more=[f"tcp:{host}"]))
    cells = [_cell(key, number, server) for number, key in enumerate(KEYS)]
    try:
        wrong = await everywhere(cells, Cell.prepare)
        before = await asyncio.to_thread(gauges, server)
        server.kill()
        for cell in cells:
            if cell.key not in wrong:
                cell.meanwhile()
        server = await asyncio.to_thread(restarted, server, store)
        first = await asyncio.to_thread(gauges, server)
        wrong |= await everywhere([cell for cell in cells if cell.key not in wrong], Cell.act)
        after = await asyncio.to_thread(gauges, server)
        return Found(wrong, first, before, after), server
    except BaseException:
        server.kill()
        raise
    finally:
        await asyncio.gather(*(phone.close() for cell in cells for phone in cell.phones), return_exceptions=True)


def _cell(key: Key, number: int, server: Server) -> Cell:
    users = list(USERS.items())[3 * number : 3 * number + 3]
    phones = [Phone(user, password, (server.host, server.port), server.host, key.transport) for user, password in users]
    return Cell(key, *phones)


async def everywhere(cells: list[Cell], part: Callable[[Cell], object]) -> dict[Key, str]:
    """Run one part of all cells side by side; what failed, with its ladder."""
    results = await asyncio.gather(*(part(cell) for cell in cells), return_exceptions=True)
    wrong = {}
    for cell, result in zip(cells, results, strict=True):
        if isinstance(result, AssertionError):
            wrong[cell.key] = f"{result}\n{cell.ladder()}"
        elif isinstance(result, BaseException):
            raise result
    return wrong


def gauges(server: Server) -> Gauges:
    """One scrape."""
    samples = dict(line.rpartition(" ")[::2] for line in server.get("/metrics").splitlines() if not line.startswith("#"))
    names = ("b2bua_calls_active", "b2bua_registrations_active", "b2bua_subscriptions_active", "b2bua_contacts")
    return {name: float(value) for name, value in samples.items() if name.partition("{")[0] in names}


def table(wrong: set[Key]) -> str:
    """Markdown: a row a state, a column an action, in a cell UDP and TCP."""
    lines = [f"| State | {' | '.join(ACTIONS)} |", f"|---|{'---|' * len(ACTIONS)}"]
    for state in STATES:
        cells = []
        for action in ACTIONS:
            marks = [f"{transport.upper()} {'✗' if Key(state, action, transport) in wrong else '✓'}" for transport in TRANSPORTS]
            told = f"{SET_UP[action]}: " if state == "ringing" else ""
            cells.append(told + " ".join(marks))
        lines.append(f"| {state} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def written(text: str, made: str) -> str:
    """A document with this table between its marks."""
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    assert tail, f"the marks of the restart matrix are missing in {README}"
    return f"{head}{BEGIN}\n{made}\n{END}{tail}"


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="b2bua-matrix-") as directory:
        found, server = run(Path(directory), "127.0.0.94")
        server.kill()
    README.write_text(written(README.read_text(encoding="utf-8"), table(set(found.wrong))), encoding="utf-8")
    for key, why in found.wrong.items():
        print(f"{key}: {why}\n")
    print(f"restart matrix: {len(KEYS) - len(found.wrong)} of {len(KEYS)} cells are green; the table is in {README}")
    return 1 if found.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
