"""State machines that are no tables: each of their conditions turned round, one at a time, and each `and` an `or`.

A table of states and events would not make them clearer: what decides is not one state, but what is under way besides.
"""

from __future__ import annotations

import ast
import importlib
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from types import CodeType
from typing import Any, Final, NamedTuple

ROOT: Final = Path(__file__).resolve().parents[2]


class Machine(NamedTuple):
    """A module and who looks at it."""

    module: str
    tests: tuple[str, ...]
    """Files, or single tests as pytest names them."""
    equivalent: tuple[str, ...] = ()
    """Conditions that decide nothing in the one way in which the mutant has them, each with the reason."""

    @property
    def identity(self) -> str:
        return self.module.rpartition(".")[2]


class Wrong(NamedTuple):
    """A condition that is wrong: where, and how to make it so in this process."""

    what: str
    make: Callable[[], None]


class _Conditions(ast.NodeVisitor):
    """The conditions of one function, in order: each with what stands in its place."""

    def __init__(self) -> None:
        self.found: list[tuple[ast.expr, ast.expr]] = []

    def visit_If(self, node: ast.If) -> None:
        self._decides(node.test)
        self.generic_visit(node)

    def visit_While(self, node: ast.While) -> None:
        self._decides(node.test)
        self.generic_visit(node)

    def visit_IfExp(self, node: ast.IfExp) -> None:
        self._decides(node.test)
        self.generic_visit(node)

    def visit_comprehension(self, node: ast.comprehension) -> None:
        for test in node.ifs:
            self._decides(test)
        self.generic_visit(node)

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        other: ast.boolop = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        self.found.append((node, ast.BoolOp(other, node.values)))
        for value in node.values:
            self._decides(value)
        self.generic_visit(node)

    def visit_Compare(self, node: ast.Compare) -> None:
        self._decides(node)
        self.generic_visit(node)

    def _decides(self, node: ast.expr) -> None:
        if not isinstance(node, ast.BoolOp) and all(node is not known for known, _ in self.found):
            self.found.append((node, ast.UnaryOp(ast.Not(), node)))


def conditions(machine: Machine) -> Iterator[Wrong]:
    """Each condition of each function of a module, turned round."""
    text = (ROOT / f"{machine.module.replace('.', '/')}.py").read_text()
    tree = ast.parse(text)
    for name, function in _functions(tree):
        visitor = _Conditions()
        for statement in function.body:
            visitor.visit(statement)
        for number, (node, _) in enumerate(visitor.found):
            sign = "and ↔ or" if isinstance(node, ast.BoolOp) else "not"
            what = f"{name}: {sign} {' '.join(ast.unparse(node).split())}"
            yield Wrong(f"{what} ({number})", _maker(machine.module, name, text, number))


def _functions(tree: ast.Module) -> Iterator[tuple[str, ast.FunctionDef]]:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            yield node.name, node
        elif isinstance(node, ast.ClassDef):
            for inner in node.body:
                if isinstance(inner, ast.FunctionDef):
                    yield f"{node.name}.{inner.name}", inner


def _maker(module: str, name: str, text: str, number: int) -> Callable[[], None]:
    def make() -> None:
        tree = ast.parse(text)
        function = dict(_functions(tree))[name]
        visitor = _Conditions()
        for statement in function.body:
            visitor.visit(statement)
        old, new = visitor.found[number]
        _Replaced(old, deepcopy(new)).visit(function)
        code = _code_of(compile(ast.fix_missing_locations(tree), module, "exec"), name)
        _known(module, name).__code__ = code

    return make


class _Replaced(ast.NodeTransformer):
    def __init__(self, old: ast.expr, new: ast.expr) -> None:
        self._old, self._new = old, new

    def visit(self, node: ast.AST) -> Any:
        return self._new if node is self._old else self.generic_visit(node)


def _code_of(code: CodeType, name: str) -> CodeType:
    first, _, rest = name.partition(".")
    inner = next(each for each in code.co_consts if isinstance(each, CodeType) and each.co_name == first)
    return _code_of(inner, rest) if rest else inner


def _known(module: str, name: str) -> Any:
    """The function as everybody calls it."""
    found: Any = importlib.import_module(module)
    for part in name.split("."):
        found = vars(found)[part]
    return getattr(found, "fget", None) or getattr(found, "__func__", found)


_REINVITE: Final = (
    "test_rfc6141.py",
    "test_hold_descriptions.py",
    "test_reasons_of_refusals.py",
    "test_update.py::test_update_with_an_offer_goes_on_as_a_reinvite",
    "test_update.py::test_the_far_phones_own_goes_before_an_update_that_waits",
    "test_update.py::test_update_that_the_other_party_never_answers_is_answered_in_time",
    "test_decisions.py::test_a_hold_its_feature_its_state_and_who_is_told",
    "test_in_call.py::test_a_reinvite_with_another_body_offers_nothing",
    "test_credentials.py::test_a_challenge_of_the_far_phone_to_a_reinvite_does_not_cross",
    "test_refused_hold.py::test_no_answer_but_a_bye_of_the_holder",
    "test_measures.py::test_a_repeated_description_is_a_refresh",
    "test_media_relay.py::test_it_goes_down_in_a_call_and_the_hold_is_refused",
    "test_media_relay.py::test_hold_and_resume_pass_it_with_the_lamps",
    "test_review.py::test_hold_gets_a_legal_answer_whatever_the_far_phone_says",
    "test_races.py::test_3_1_4_the_ack_arrives_while_the_reinvite_is_open",
    "test_turns.py",
    "test_turns_ends.py",
)
"""Of a re-INVITE, those in tests/scenarios that notice most: whatever survives takes a minute or more with all of them."""

_OWN_OFFER: Final = (
    "test_attended_transfer.py::test_who_comes_never_answers",
    "test_music_on_hold.py::test_the_music_waits_for_the_ack_of_the_hold",
    "test_music_on_hold.py::test_glare_with_the_held_party",
    "test_blind_transfer.py::test_glare_with_the_transferee",
    "test_blind_transfer.py::test_target_hangs_up_right_after_its_answer",
    "test_relay_restarted.py::test_a_call_that_ends_before_it_is_asked_again",
    "test_freed.py::test_blind_transfer",
)
_WAITING: Final = (
    "test_session_refresh.py::test_a_hold_of_the_other_phone_waits_for_the_refresh",
    "test_session_refresh.py::test_a_hold_by_update_of_the_refreshed_phone",
    "test_session_refresh.py::test_a_hold_by_update_that_waits_is_answered_in_time",
    "test_session_refresh.py::test_a_hold_that_waits_may_be_cancelled",
    "test_glare.py::test_bye_of_the_one_who_was_given_way",
    "test_turns.py",
    "test_turns_ends.py",
)


def _scenarios(*tests: str) -> tuple[str, ...]:
    return tuple(f"tests/scenarios/{test}" for test in tests)


MACHINES: Final = (
    Machine("b2bua.feature_server.reinvite", _scenarios(*_REINVITE)),
    Machine("b2bua.feature_server.own_offer", _scenarios(*_OWN_OFFER)),
    Machine("b2bua.feature_server.exchange", _scenarios(*_WAITING)),
    Machine("b2bua.feature_server.reliable_progress", _scenarios("test_rfc6141.py")),
    Machine(
        "b2bua.transport.stream_flow",
        ("tests/transport/test_stream_flow.py", "tests/transport/test_stream.py", "tests/transport/test_tls.py"),
        # It has a connection as long as it is open.
        ("StreamFlow.put: and ↔ or self.state is State.OPEN and connection is not None (0)",),
    ),
    Machine(
        "b2bua.phone.call",
        ("tests/phone/test_call.py", "tests/phone/test_call_hold.py", "tests/phone/test_update.py", "tests/phone/test_phone.py"),
        (
            # Its INVITE is there as long as a call is offered, and no longer.
            "Call.ring: and ↔ or self.state is CallState.OFFERED and self._incoming is not None (0)",
            "Call.answer: and ↔ or self.state is not CallState.OFFERED or request is None (0)",
            "Call.reject: and ↔ or self.state is CallState.OFFERED and self._incoming is not None (0)",
            # What can be cancelled is the INVITE that is not answered yet, and no other is.
            "Call.cancelled: and ↔ or self._usage.server is transaction and self._incoming is not None (0)",
        ),
    ),
)  # fmt: skip
