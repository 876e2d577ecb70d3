"""The tables of features in README.md, and of their settings beside them, are true: names, codes, RFCs and tests are those of
the code."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache

import pytest

from b2bua.config.settings import Settings
from b2bua.feature_server.feature import Feature
from b2bua.feature_server.loader import built_in_features, find_features
from tests.test_documentation import ROOT, bare, rows, section, text_of, words_of_code

TABLE = {bare(row[0]): row[1:] for row in rows(section("README.md", "Features"), "Feature")}
"""Name of a feature → what it does, by which RFC, its tests."""
DETAILS = "plugins/communication_manager/README.md"
CODE = re.compile(r"\*\d\d")


def class_of(name: str) -> type[Feature]:
    [found] = find_features([name], None)
    return found


def test_every_feature_has_its_line_and_nothing_else() -> None:
    assert sorted(TABLE) == built_in_features()


def test_those_that_are_off_are_named() -> None:
    """"By default all are there but …"."""
    sentence = re.search(r"By default all are there but (.*?), and\nthose", section("README.md", "Features"), re.DOTALL)
    assert sentence
    off = set(re.findall(r"`(\w+)`", sentence[1]))
    assert off == set(TABLE) - set(Settings().features)


@pytest.mark.parametrize("name", TABLE)
def test_a_line_has_the_codes_of_its_feature(name: str) -> None:
    what = TABLE[name][0]
    assert set(CODE.findall(what)) == {code for code in class_of(name).codes.values() if code}


@pytest.mark.parametrize("name", TABLE)
def test_settings_of_users_are_in_the_reference(name: str) -> None:
    words = words_of_code(section("README.md", "Features") + text_of(DETAILS))
    assert set(class_of(name).settings) <= words


def test_no_setting_is_in_the_reference_that_no_feature_has() -> None:
    known = {setting for name in TABLE for setting in class_of(name).settings}
    named = {word for row in rows(section(DETAILS, "Codes and settings"), "Setting") for word in re.findall(r"`(\w+)`", row[0])}
    assert named <= known


@pytest.mark.parametrize("name", TABLE)
def test_its_tests_are_there_and_have_to_do_with_it(name: str) -> None:
    """Each file has tests, and names the feature, or what it is made of."""
    paths = re.findall(r"\]\((tests/[\w/]+\.py)\)", TABLE[name][2])
    assert paths
    for path in paths:
        tree = ast.parse(text_of(path))
        assert any(isinstance(node, ast.FunctionDef) and node.name.startswith("test_") for node in tree.body), path
        assert any(name in text for text in with_what_it_imports(path)), f"{path} has nothing of {name}"


@cache
def with_what_it_imports(path: str) -> tuple[str, ...]:
    """The text of a test and of the modules of tests that it imports."""
    imported = re.findall(r"^from (tests\.[\w.]+) import", text_of(path), re.MULTILINE)
    return text_of(path), *(text_of(f"{module.replace('.', '/')}.py") for module in imported)


def rfcs(cell: str) -> Iterator[tuple[str, str]]:
    """`RFC 5359 §2.7–2.9, RFC 3261 §8.1.3.4; RFC 3515, 3892` → number and section, "" where none is named."""
    for number, rest in re.findall(r"(\d{4})((?: §[\d.]+(?:–[\d.]+)?(?:, §[\d.]+)*)?)", cell):
        sections = re.findall(r"§?([\d.]+)(?:–([\d.]+))?", rest)
        for first, last in sections or [("", "")]:
            yield number, first
            if last:
                yield number, last


@pytest.mark.parametrize("name", TABLE)
def test_the_rfcs_of_a_line_are_obeyed_somewhere(name: str) -> None:
    """Where: the feature and what it imports, or its tests, cite them; of RFC 5359 the very script."""
    paths = re.findall(r"\]\((tests/[\w/]+\.py)\)", TABLE[name][2])
    own = text_of(f"plugins/communication_manager/{name}.py")
    parts = [f"{part.replace('.', '/')}.py" for part in re.findall(r"^from (b2bua\.[\w.]+) import", own, re.MULTILINE)]
    texts = [own, *(text_of(part) for part in parts if (ROOT / part).is_file())]
    texts += [text for path in paths for text in with_what_it_imports(path)]
    whole = "\n".join(texts)
    for number, part in rfcs(TABLE[name][1]):
        assert re.search(rf"\b{number}\b|[_c]{number}_", whole), f"{name}: nobody cites RFC {number}"
        if number == "5359":
            under = part.replace(".", "_")
            assert re.search(rf"5359[^\n]*§{re.escape(part)}\b|5359[^\n]*, §{re.escape(part)}\b|5359_{under}_", whole), (
                f"{name}: nobody cites RFC 5359 §{part}"
            )
