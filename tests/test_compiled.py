"""What runs is what was asked for: compiled where the run says so, the sources everywhere else."""

from __future__ import annotations

import importlib
import os
import tomllib
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import pytest

from b2bua.feature_server.feature import Feature
from b2bua.sip.errors import SipError

ROOT = Path(__file__).resolve().parents[1]
COMPILED = os.environ.get("B2BUA_COMPILE") == "1"
"""Set for `make test` too, to run on what it had installed."""
CHOSEN = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["b2bua"]["compile"]

INTERPRETED = {"b2bua/sip/errors.py", "b2bua/sip/malformed_message.py", "b2bua/dialog/offer_answer.py"}
"""Of the rooms of every message."""


def files(pattern: str) -> set[str]:
    return {path.relative_to(ROOT).as_posix() for path in ROOT.glob(pattern) if path.name != "__init__.py"}


def listed() -> list[str]:
    """The files that an installation compiles."""
    return sorted(set().union(*map(files, CHOSEN["modules"])) - set(CHOSEN["interpreted"]))


def is_compiled(file: str) -> bool:
    module = importlib.import_module(file.removesuffix(".py").replace("/", "."))
    return str(module.__file__).endswith(tuple(EXTENSION_SUFFIXES))


def test_each_pattern_names_something() -> None:
    for pattern in (*CHOSEN["modules"], *CHOSEN["interpreted"]):
        assert files(pattern), pattern


def test_what_stays_interpreted_would_else_be_compiled() -> None:
    assert set(CHOSEN["interpreted"]) < set().union(*map(files, CHOSEN["modules"]))


def test_the_rooms_of_every_message_are_listed() -> None:
    places = set(listed())
    for room in ("sip", "transaction", "dialog"):
        assert files(f"b2bua/{room}/*.py") - INTERPRETED <= places


@pytest.mark.parametrize("file", listed())
def test_a_listed_module_is_compiled_if_and_only_if_the_run_says_so(file: str) -> None:
    assert is_compiled(file) == COMPILED


def test_what_features_derive_from_can_be_derived_from() -> None:
    class Busy(SipError):
        def __init__(self) -> None:
            super().__init__(486)

    class Unwilling(Feature):
        def call_ended(self, call: object) -> None:
            raise Busy

    with pytest.raises(SipError, match="486"):
        Unwilling().call_ended(None)


@pytest.mark.parametrize("file", CHOSEN["interpreted"])
def test_the_others_are_never_compiled(file: str) -> None:
    assert not is_compiled(file)
