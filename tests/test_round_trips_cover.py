"""Whatever reads or writes a header or a body has a round trip over values that nobody thought of, and is fed random bytes.

A round trip is a test under `@given` that names the reader or the value that is written, itself or by what it calls in its
file. Random bytes reach what tests/sip/readers.py names.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import pytest

ROOT: Final = Path(__file__).resolve().parent.parent
TESTS: Final = ROOT / "tests"
ROOMS: Final = ("sip", "transaction", "dialog", "session_manager", "feature_server", "phone")
"""Where typed values of headers may live. In `sip` all that is public is looked at, elsewhere whoever takes a text apart."""

_TEXTS: Final = ("str", "bytes", "Message", "Request", "Response", "Address", "Uri", "Element")
"""Annotations of what is read."""
_SIGNS: Final = frozenset(";,=<>() ")
_SPLITS: Final = frozenset(("partition", "rpartition", "split", "rsplit"))
_READS: Final = frozenset(("split_parameters", "split_unquoted", "parse_parameters", "unquote"))

NO_READERS: Final = {
    # makes something: what it makes is read back where it is named
    "hash_md5": "arithmetic of digests, held to the RFC's examples",
    "hash_sha_256": "as above",
    "hash_sha_512_256": "as above",
    "loop_mark": "a keyed digest, compared and never read",
    "answerable": "a part of the parser: what can be answered of a message that is refused",
    "search": "looks a name up, in steps",
    "is_behind_nat": "an address that a Via has read, compared",
    "xml_document": "the frame of each document, read by each one's own round trip",
    # of other texts than headers and bodies
    "read_header_rule": "a line of the configuration",
    "read_number_rule": "a line of the configuration",
    "adapt_uri": "a rule of the configuration, on a user part",
    "read_week_time": "a line of the configuration",
    "check_source": "a setting's text",
    "check_text": "a setting's text",
    "number": "a setting's text",
    "_plan": "a line of the configuration",
    # nonces: read by their authenticators alone
    "is_good": "a nonce of a profile; tests/session_manager has theirs under @given",
    "_ours": "a nonce and its credentials; tests/session_manager/test_authenticator.py",
    "_usable": "as above",
    # compare what other readers have read, or look at one word
    "package_for": "one word, compared",
    "published_value": "the word of a Content-Type, compared; the body is read by its package",
    "is_sdp": "the word of a Content-Type, compared",
    "is_named": "one word, compared, and the id by event_id",
    "_unheard": "one word, compared",
    "notify_received": "one word, compared",
    "target_uri": "digits as they are dialled",
    "_described": "parameters of a contact, by split_parameters",
    "_is_ours": "a realm, by parse_parameters",
    "_of_other_realms": "a realm, by parse_parameters",
    "_names": "a part of a token of ours; test_tokens.py",
    "_granted": "a number, compared",
}
"""Function → why no round trip is asked of it."""

NOT_FED: Final = {
    "quote_string": "makes text", "challenge_text": "makes text", "served_user": "makes text", "host_text": "makes text",
    "response_to": "makes a message", "is_behind_nat": "by the top Via", "ha1": "arithmetic", "expected_response": "arithmetic",
    "plain": "the name of an algorithm of ours",
    "split_unquoted": "by every reader of parameters", "unquote_string": "by every reader of parameters",
    "parse_parameters": "by parse_challenge", "canonical_name": "by parse_message", "parse_message": "the test does itself",
    "codecs": "by agreed_codecs; tests/sip/test_codecs.py feeds it too", "equivalent": "of two URIs that were read",
    "bears": "looks for a text", "_index_of": "by add_history",
    "note_source": "tests/transaction has the values; with_source is fed",
    "_towards_strict_router": "a dialog reads its routes when it is made", "_expires": "a REGISTER that was read",
    "read_flow": "by OwnRouteReader", "read_position": "by OwnRouteReader",
}  # fmt: skip
"""Function → why tests/sip/readers.py does not name it."""

NO_WRITERS: Final = {"Document": "what all bodies have in common"}


class Part(NamedTuple):
    """Something that reads or writes, and where."""

    name: str
    file: str


def functions(tree: ast.Module) -> Iterator[ast.FunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


def names_in(node: ast.AST) -> set[str]:
    return {one.id for one in ast.walk(node) if isinstance(one, ast.Name)} | {
        one.attr for one in ast.walk(node) if isinstance(one, ast.Attribute)
    }


def takes_apart(function: ast.FunctionDef) -> bool:
    for node in ast.walk(function):
        if not isinstance(node, ast.Call):
            continue
        if isinstance(node.func, ast.Name) and node.func.id in _READS:
            return True
        if isinstance(node.func, ast.Attribute) and node.func.attr in ("isdigit", "fullmatch"):
            return True
        if isinstance(node.func, ast.Attribute) and node.func.attr in _SPLITS and node.args:
            sign = node.args[0]
            if isinstance(sign, ast.Constant) and isinstance(sign.value, str) and sign.value in _SIGNS:
                return True
    return False


def reads(function: ast.FunctionDef) -> bool:
    """By its first argument and by giving something back."""
    first = function.args.args[:1]
    given = ast.unparse(first[0].annotation) if first and first[0].annotation is not None else ""
    returned = ast.unparse(function.returns) if function.returns is not None else "None"
    return given in _TEXTS and returned != "None"


def readers() -> list[Part]:
    found = []
    for room in ROOMS:
        for path in sorted((ROOT / "b2bua" / room).rglob("*.py")):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            top = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
            for function in functions(tree):
                private = function.name.startswith("_")
                if room == "sip":
                    wanted = function.name in top and not private and (reads(function) or takes_apart(function))
                else:
                    wanted = takes_apart(function)
                if wanted:
                    found.append(Part(function.name, str(path.relative_to(ROOT))))
    return found


def writers() -> list[Part]:
    """Classes of values that print themselves as a header or a body."""
    found = []
    for path in sorted((ROOT / "b2bua" / "sip").rglob("*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and {"__str__", "encode"} & {
                one.name for one in node.body if isinstance(one, ast.FunctionDef)
            }:
                found.append(Part(node.name, str(path.relative_to(ROOT))))
    return found


def named_in_round_trips() -> set[str]:
    """All names that tests under `@given` use, and what they use of their own file, to the end."""
    found: set[str] = set()
    for path in TESTS.rglob("test_*.py"):
        text = path.read_text(encoding="utf-8")
        if "@given" not in text:
            continue
        tree = ast.parse(text)
        defined: dict[str, set[str]] = {}
        for node in tree.body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                defined[node.name] = names_in(node)
            elif isinstance(node, ast.Assign):
                for target in node.targets:
                    if isinstance(target, ast.Name):
                        defined[target.id] = names_in(node.value)
        under = [node for node in functions(tree) if any("given" in names_in(one) for one in node.decorator_list)]
        open_, known = set().union(*map(names_in, under)) if under else set(), set()
        while open_ - known:
            known |= open_
            open_ = open_.union(*(defined[name] for name in open_ if name in defined))
        found |= known
    return found


def fed_random_bytes() -> set[str]:
    return names_in(ast.parse((TESTS / "sip" / "readers.py").read_text(encoding="utf-8")))


THROUGH: Final = {
    "_expires": "World", "_towards_strict_router": "make_request", "_index_of": "add_history",
    "read_flow": "OwnRouteReader", "read_position": "OwnRouteReader",
}  # fmt: skip
"""Reader that is private, or a method → who is asked in its place."""

ROUND_TRIPS: Final = named_in_round_trips()
FED: Final = fed_random_bytes()
READERS: Final = [part for part in readers() if part.name not in NO_READERS]


@pytest.mark.parametrize("reader", READERS, ids=lambda part: f"{part.file}:{part.name}")
def test_each_reader_has_a_round_trip(reader: Part) -> None:
    assert THROUGH.get(reader.name, reader.name) in ROUND_TRIPS, f"no test under @given names {reader.name} of {reader.file}"


@pytest.mark.parametrize("reader", READERS, ids=lambda part: f"{part.file}:{part.name}")
def test_each_reader_is_fed_random_bytes(reader: Part) -> None:
    assert reader.name in FED or reader.name in NOT_FED, f"tests/sip/readers.py does not name {reader.name} of {reader.file}"


@pytest.mark.parametrize("table", [NO_READERS, NOT_FED, THROUGH, NO_WRITERS], ids=["none", "not fed", "through", "no writer"])
def test_what_is_left_out_is_still_there(table: dict[str, str]) -> None:
    assert set(table) <= {part.name for part in (*readers(), *writers())}


def test_readers_and_values_were_found() -> None:
    assert len(READERS) > 60 and len(writers()) > 12
    assert "parse_widget" not in ROUND_TRIPS and "parse_widget" not in FED, "a reader without a round trip is told from others"


@pytest.mark.parametrize("writer", [part for part in writers() if part.name not in NO_WRITERS], ids=lambda part: part.name)
def test_each_value_that_is_written_is_read_back(writer: Part) -> None:
    assert writer.name in ROUND_TRIPS, f"no test under @given names {writer.name} of {writer.file}"
