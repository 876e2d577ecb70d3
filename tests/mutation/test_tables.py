"""Every table of the protocol is looked at: by a figure of its own, by its mutants, or it stands here with the reason.

A table is a mapping or a set, and a tuple that something is looked for in: for a few members it is as fast as a set.
"""

from __future__ import annotations

import ast
import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from enum import Enum
from pathlib import Path
from typing import Final

import pytest

from tests.mutation.tables import TABLES, Table, mutants

ROOT: Final = Path(__file__).resolve().parents[2]
ROOMS: Final = (
    "b2bua.sip", "b2bua.transaction", "b2bua.dialog", "b2bua.session_manager", "b2bua.feature_server", "b2bua.phone",
    "b2bua.transport", "plugins.communication_manager",
)  # fmt: skip

ELSEWHERE: Final = {
    # tests/transaction/figure.py makes mutants of its own.
    "client_invite.TABLE", "client_invite.IGNORED", "client_non_invite.TABLE", "client_non_invite.IGNORED",
    "server_invite.TABLE", "server_invite.IGNORED", "server_non_invite.TABLE", "server_non_invite.IGNORED",
    # The other half of a table that is listed: tests compare the two.
    "session_timer.IGNORED", "reliable_provisional.IGNORED",
    # Spelling and grammar, which tests/sip and tests/torture go through sign by sign.
    "names._COMPACT", "names._BY_LOWER", "names.CANONICAL", "names.SINGLE", "parser._TOKEN", "framer._FIRST", "uri._HOST",
    "uri._IPV6", "uri._FORBIDDEN", "uri._NEVER_IGNORED", "uri.DEFAULT_PORTS", "header_list._TYPED", "reason.REASON",
    "dialog_event._EVENTS", "dialog_event._DIRECTIONS", "dialog_event._RENDERINGS",
    # No table: what is the same of all calls is kept once.
    "call._SHOWN",
    # Texts: tests/test_documentation.py, and the answers that tests/media reads.
    "profiles.SWITCHES", "offer_answer.NAMES", "media_relay.PROTOCOLS", "call.RESULTS",
    # Each verb is asked with and without its words: tests/scenarios/test_control.py.
    "control.VERBS",
    # Numbers by their text.
    "proxy_answer._ROUNDS",
    # Computation: a wrong one fails every digest.
    "digest_algorithms.HASHES", "digest_algorithms.DIGITS", "authenticator._NOBODY",
    # Made of another table that is listed.
    "authenticator._CREDENTIALS", "carried._CREDENTIALS", "carried._OTHER_OF_BODY",
    # A short cut of the link in process: tests/transaction/test_layer.py.
    "layer._MATCHED_ON_LINK",
    # Names that are told, and decide nothing: tests/sip/test_codecs.py has each.
    "codecs._NAMES",
    # Words of the grammar: tests/scenarios/test_secure_streams.py has each.
    "flow._URI_TRANSPORTS",
    # No entry decides anything: signs of the grammar, and the empty set that stands for no fork.
    "address._NOT_BARE", "invite_usage._NO_TAGS",
    # Told in order, and all of it: a header, the codecs of an offer, the seconds between the attempts of a question.
    "callees.ELSEWHERE", "places.ELSEWHERE", "media_leg.CODECS", "dns_client.TIMEOUTS",
    # What the demo wants to see: tests/phone/test_demo.py.
    "demo.LAMP", "demo.PARTS", "demo.SURVIVED", "demo_report.ORDER",
    # Four values under their names: tests/transport opens listeners of each.
    "kinds.KINDS",
    # What is counted, not what is done.
    "observer.METHODS", "observer.METHOD_LABELS", "observer.CODES", "next_hops._WHY",
}  # fmt: skip


def modules() -> Iterator[str]:
    for room in ROOMS:
        for module in pkgutil.walk_packages(importlib.import_module(room).__path__, f"{room}."):
            if not module.ispkg:
                yield module.name


def text_of(module: str) -> str:
    return (ROOT / f"{module.replace('.', '/')}.py").read_text()


def looked_in(module: str) -> Iterator[object]:
    """What a module looks for something in, or how a text begins or ends, or passes on as a whole: by a name in capitals."""
    known = vars(importlib.import_module(module))
    for node in ast.walk(ast.parse(text_of(module))):
        asked: list[ast.expr] = []
        if isinstance(node, ast.Compare):
            signs = zip(node.ops, node.comparators, strict=True)
            asked = [right for sign, right in signs if isinstance(sign, ast.In | ast.NotIn)]
        elif isinstance(node, ast.Call):
            asked = node.args
        yield from (known.get(each.id) for each in asked if isinstance(each, ast.Name) and each.id.isupper())


def found() -> Iterator[str]:
    """Every table that a module of these rooms has for a constant, under the module that made it."""
    names = list(modules())
    in_use = {id(value) for module in names for value in looked_in(module) if isinstance(value, tuple) and plain(value)}
    for module in names:
        text = text_of(module)
        for name, value in vars(importlib.import_module(module)).items():
            made_here = f"\n{name}: Final" in text or f"\n{name} = " in text
            table = isinstance(value, Mapping | frozenset) or id(value) in in_use
            if table and not name.startswith("__") and made_here:
                yield f"{module.rpartition('.')[2]}.{name}"


def plain(value: tuple[object, ...]) -> bool:
    """No reason, no bounds, no pairs: members that something may be."""
    return type(value) is tuple and all(isinstance(member, str | int | Enum) for member in value)


def test_no_table_is_forgotten() -> None:
    listed = {table.identity for table in TABLES}
    assert len(listed) == len(TABLES) and not listed & ELSEWHERE
    there = set(found())
    forgotten = there - listed - ELSEWHERE
    assert not forgotten, f"no mutants are made of {sorted(forgotten)}: tests/mutation/tables.py"
    assert listed <= there, "a table that is not there any more"


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.identity)
def test_its_mutants_differ_from_it(table: Table) -> None:
    """At least one for each entry, and each its own."""
    value = table.value()
    made = list(mutants(table))
    wanted = [entry for entry in value if not isinstance(value, Mapping) or value[entry] != table.default]
    assert len({mutant.what for mutant in made}) == len(made) >= len(wanted)
    same = dict(value) if isinstance(value, Mapping) else value if isinstance(value, tuple) else frozenset(value)
    assert all(mutant.table != same for mutant in made)
    assert all((ROOT / test.partition("::")[0]).is_file() for test in table.tests)
