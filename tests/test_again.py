"""What `make again` runs, and when it refuses: a run of nothing must not pass for a run of what failed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.again import AT_MOST, failed


def part(folder: Path, name: str, ended: str | None, *failures: str) -> None:
    """A part as `make test` leaves it."""
    cache = folder / name / "v/cache"
    cache.mkdir(parents=True)
    if failures:
        (cache / "lastfailed").write_text(json.dumps(dict.fromkeys(failures, True)))
    if ended is not None:
        (folder / f"{name}.ended").write_text(f"{ended}\n")


def test_what_failed_in_any_part_is_named(tmp_path: Path) -> None:
    part(tmp_path, "test-core-1", "1", "tests/test_b.py::test[6001 6002]")
    part(tmp_path, "test-core-2", "0")
    part(tmp_path, "test-phones-1", "1", "tests/test_a.py::test")
    assert failed(tmp_path) == ["tests/test_a.py::test", "tests/test_b.py::test[6001 6002]"]


@pytest.mark.parametrize(
    "ended, failures, reason",
    [
        ("0", (), "no test has failed"),
        ("2", ("tests/test_a.py::test",), "test-core-2 ended with 2"),
        (None, (), "test-core-2 ended with nothing"),
        ("1", tuple(f"tests/test_a.py::test[{number}]" for number in range(AT_MOST)), "6 tests failed, more than 5"),
    ],
)
def test_nothing_is_run_again_where_that_would_tell_nothing(
    tmp_path: Path, ended: str | None, failures: tuple[str, ...], reason: str
) -> None:
    part(tmp_path, "test-core-1", "1", *(("tests/test_b.py::test",) if failures else ()))
    part(tmp_path, "test-core-2", ended, *failures)
    with pytest.raises(ValueError, match=reason):
        failed(tmp_path)
