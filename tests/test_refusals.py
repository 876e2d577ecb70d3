"""Whatever is refused says why in the trace: each place of the sources that makes a refusal is looked at, so that a new one
without its reason is seen here and not by whoever reads "it went no further"."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from b2bua.sip.errors import MalformedValue
from b2bua.sip.why import decisions

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("sip", "transaction", "dialog", "session_manager", "feature_server", "media", "faults")
"""Whose refusals a peer hears; the scripted phone is a peer itself."""
FEATURES = ROOT / "plugins" / "communication_manager"
BY_STATUS_ALONE = {
    "do_not_disturb.py": "what the user has set says it all",
    "park.py": "it says so in its reason phrase", "pickup.py": "it says so in its reason phrase",
    "forwarding.py": "it says so in its reason phrase", "media_relay.py": "it says so in its reason phrase",
    "tone.py": "it says so in its reason phrase",
}
"""Features of which a refusal has no sentence of its own: `feature NAME: refuses, STATUS REASON` is told of each."""
SAID_ELSEWHERE = {
    ("faults/wire.py", "_answer"): "stands for somebody else's answer, which has no reason that we know; the trace says `fault`",
    ("session_manager/stateless_refusal.py", "stateless_refusal"): "who refuses says why: source_limit.py, admission.py",
    ("feature_server/media_usage.py", "invite"): "goes to a leg of ours, whose call is told why",
}
"""Functions that make a response and leave its reason to others."""


def sources() -> Iterator[tuple[str, ast.Module]]:
    for room in ROOMS:
        for path in sorted((ROOT / "b2bua" / room).rglob("*.py")):
            yield str(path.relative_to(ROOT / "b2bua")), ast.parse(path.read_text(encoding="utf-8"))


def called(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Call) and (
        (isinstance(node.func, ast.Name) and node.func.id == name)
        or (isinstance(node.func, ast.Attribute) and node.func.attr == name)
    )


def errors_without_reason(tree: ast.Module) -> Iterator[int]:
    """Lines that make a `SipError` and do not call its `because`."""
    explained = {
        id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Attribute) and node.attr == "because"
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and called(node, "SipError") and id(node) not in explained:
            yield node.lineno


def is_refusal(status: ast.expr) -> bool:
    """Whether it may be one: a number from 300 up, or what is not known before it runs."""
    return not (isinstance(status, ast.Constant) and isinstance(status.value, int) and status.value < 300)


def answers_without_reason(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Functions that make a refusal of a request and note nothing in it, with the line."""
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef):
            continue
        made = [
            node for node in ast.walk(function)
            if isinstance(node, ast.Call) and called(node, "response_to") and len(node.args) > 1 and is_refusal(node.args[1])
        ]  # fmt: skip
        noted = any(isinstance(node, ast.Attribute) and node.attr == "why" and isinstance(node.ctx, ast.Store)
                    for node in ast.walk(function))  # fmt: skip
        if made and not noted:
            yield function.name, made[0].lineno


def legs_without_reason(tree: ast.Module) -> Iterator[int]:
    """Lines at which a party hears a refusal by number, in a function that does not say why."""
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef):
            continue
        noted = any(isinstance(node, ast.Attribute) and node.attr == "acted" for node in ast.walk(function))
        for node in ast.walk(function):
            if not isinstance(node, ast.Call) or noted or not isinstance(node.func, ast.Attribute):
                continue
            if any(keyword.arg == "why" for keyword in node.keywords):
                continue
            status = node.args[0] if node.func.attr == "respond" and node.args else None
            if node.func.attr == "answer" and len(node.args) == 3:
                status = node.args[2]
            if isinstance(status, ast.Constant) and isinstance(status.value, int) and status.value >= 300:
                yield node.lineno


def sentences() -> Iterator[str]:
    """What refusals say, and all else that is noted as a constant."""
    for _, tree in sources():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and called(node, "because"):
                texts: list[ast.expr] = [node.args[0]]
            elif isinstance(node, ast.AnnAssign) and "Why" in ast.dump(node.annotation) and isinstance(node.value, ast.Tuple):
                texts = [node.value.elts[1]]
            else:
                continue
            yield from (text.value for text in texts if isinstance(text, ast.Constant) and isinstance(text.value, str))


def test_the_first_word_of_each_is_explained() -> None:
    readme = (ROOT / "b2bua" / "trace" / "README.md").read_text(encoding="utf-8").partition("\n## Why\n")[2].partition("\n## ")[0]
    table = [line.split("|")[1] for line in readme.splitlines() if line.startswith("| `")]
    known = {kind for row in table for kind in re.findall(r"`([^`]+)`", row)}
    said = {text.partition(":")[0] for text in sentences()}
    assert len(said) > 10
    assert {kind for kind in said if kind not in known and not kind.startswith(("timer ", "feature ", "routing rule"))} == set()


def test_every_error_has_a_reason() -> None:
    assert [f"{name}:{line}" for name, tree in sources() for line in errors_without_reason(tree)] == []


def test_every_answer_has_a_reason() -> None:
    found = {(name, function) for name, tree in sources() for function, _ in answers_without_reason(tree)}
    assert found == set(SAID_ELSEWHERE), found ^ set(SAID_ELSEWHERE)


def test_every_leg_is_told_why() -> None:
    assert [f"{name}:{line}" for name, tree in sources() for line in legs_without_reason(tree)] == []


def test_features_without_a_sentence_have_a_reason_phrase() -> None:
    silent = set()
    for path in FEATURES.glob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        silent |= {path.name for _ in (*errors_without_reason(tree), *legs_without_reason(tree))}
    assert silent == set(BY_STATUS_ALONE)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("def f(): raise SipError(403)", (1, 0, 0)),
        ("def f(): raise SipError(403).because('refused: so it is')", (0, 0, 0)),
        ("def f(): return response_to(request, status, reason)", (0, 1, 0)),
        ("def f(): return response_to(request, 200)", (0, 0, 0)),
        ("def f():\n response = response_to(request, 500)\n response.why = NOT_STORED", (0, 0, 0)),
        ("def f(): leg.respond(487)", (0, 0, 1)),
        ("def f(): leg.answer(transaction, request, 405)", (0, 0, 1)),
        ("def f(): leg.refuse(487, GAVE_UP); leg.respond(180)", (0, 0, 0)),
        ("def f():\n call.acted = WHY\n leg.respond(480, None)", (0, 0, 0)),
        ("def f():\n leg.respond(480, None, why=WHY)\n leg.respond(481, None)", (0, 0, 1)),
        ("def f(): leg.answer(transaction, request, 405, why=WHY)", (0, 0, 0)),
    ],
)
def test_what_would_be_seen(text: str, found: tuple[int, int, int]) -> None:
    tree = ast.parse(text)
    seen = errors_without_reason(tree), answers_without_reason(tree), legs_without_reason(tree)
    assert tuple(len(list(one)) for one in seen) == found


def test_a_value_that_cannot_be_read_says_which() -> None:
    assert decisions(MalformedValue("Contact").why) == ["refused: Contact is not as its grammar has it, or missing"]
