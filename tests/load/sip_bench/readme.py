"""Tables that a measurement writes into README.md itself, between two marks."""

from __future__ import annotations

from sip_bench.settings import PROJECT, BenchError


def written(text: str, name: str, table: str) -> str:
    """A README whose part of that name is this one; BenchError where it has none."""
    begin, end = f"<!-- bench {name}: begin -->\n", f"<!-- bench {name}: end -->\n"
    head, found, rest = text.partition(begin)
    _, over, tail = rest.partition(end)
    if not (found and over):
        raise BenchError(f"the marks of {name} are missing in README.md", status=2)
    return f"{head}{begin}\n{table}\n\n{end}{tail}"


def write(name: str, table: str) -> None:
    """The same in the file."""
    path = PROJECT / "README.md"
    path.write_text(written(path.read_text(encoding="utf-8"), name, table), encoding="utf-8")
