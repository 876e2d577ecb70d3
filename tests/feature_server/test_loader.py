"""Features by name; whatever is wrong with one is a single line for whoever wrote the configuration."""

from __future__ import annotations

import importlib.metadata
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from b2bua.feature_server.b2bua import B2bua
from b2bua.feature_server.feature import Feature
from b2bua.feature_server.loader import ENTRY_POINTS, LoadError, load_features, load_server
from tests.feature_server.surroundings import Surroundings

ENVIRONMENT = Surroundings().environment
PLAIN = "from b2bua.feature_server.feature import Feature\n\n\nclass Mine(Feature):\n    pass\n"


class Installed(Feature):
    """What a distribution might bring."""


def load(name: str, directory: Path | None = None) -> Feature:
    [feature] = load_features([name], directory, ENVIRONMENT)
    return feature


def failure(name: str, directory: Path | None = None) -> str:
    with pytest.raises(LoadError) as error:
        load_features([name], directory, ENVIRONMENT)
    text = str(error.value)
    assert "\n" not in text and text.startswith(f"feature {name!r}")
    return text


def write(directory: Path, text: str, name: str = "mine") -> Path:
    (directory / f"{name}.py").write_text(text)
    return directory


def test_built_in_features_in_the_order_of_the_names() -> None:
    names = [type(feature).__name__ for feature in load_features(["lamps", "hold"], None, ENVIRONMENT)]
    assert names == ["Lamps", "Hold"]
    assert load_features([], None, ENVIRONMENT) == []


def test_from_a_directory(tmp_path: Path) -> None:
    assert type(load("mine", write(tmp_path, PLAIN))).__name__ == "Mine"


def test_the_directory_goes_before_the_built_in(tmp_path: Path) -> None:
    assert type(load("hold", write(tmp_path, PLAIN, "hold"))).__name__ == "Mine"


def test_an_init_that_takes_the_environment_gets_it(tmp_path: Path) -> None:
    feature: Any = load("mine", write(tmp_path, PLAIN.replace("pass", "def __init__(self, it): self.it = it")))
    assert feature.it is ENVIRONMENT


def test_an_init_that_takes_nothing_gets_nothing(tmp_path: Path) -> None:
    feature: Any = load("mine", write(tmp_path, PLAIN.replace("pass", "def __init__(self): self.it = 7")))
    assert feature.it == 7


def test_a_feature_that_is_only_imported_does_not_count(tmp_path: Path) -> None:
    text = "from plugins.communication_manager.hold import Hold\n" + PLAIN
    assert type(load("mine", write(tmp_path, text))).__name__ == "Mine"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = 1\n", "has 0 Feature classes, wanted one"),
        (PLAIN + PLAIN.replace("Mine", "Other"), "has 2 Feature classes, wanted one"),
        ("def (\n", "SyntaxError"),
        ("import nothing_of_that_name\n", "ModuleNotFoundError"),
        ("raise RuntimeError('two\\nlines')\n", "RuntimeError: two lines"),
        (PLAIN.replace("pass", "def __init__(self): raise ValueError('a\\nb')"), "ValueError: a b"),
        (PLAIN.replace("pass", "def __init__(self, a, b): pass"), "TypeError"),
    ],
)
def test_what_is_wrong_with_a_file(tmp_path: Path, text: str, said: str) -> None:
    assert said in failure("mine", write(tmp_path, text))


def test_a_broken_file_may_be_mended_and_loaded_again(tmp_path: Path) -> None:
    failure("mine", write(tmp_path, "def (\n"))
    assert type(load("mine", write(tmp_path, PLAIN))).__name__ == "Mine"


def test_a_file_that_changed_is_run_anew_however_fast_it_changed(tmp_path: Path) -> None:
    text = PLAIN.replace("pass", "number = 1")
    first: Any = load("mine", write(tmp_path, text))
    again: Any = load("mine", write(tmp_path, text))
    changed: Any = load("mine", write(tmp_path, text.replace("1", "2")))
    assert (first.number, changed.number) == (1, 2)
    assert type(first) is type(again) is not type(changed)
    assert not list(tmp_path.glob("__pycache__"))


def test_a_file_that_broke_leaves_the_class_in_use(tmp_path: Path) -> None:
    first = load("mine", write(tmp_path, PLAIN))
    failure("mine", write(tmp_path, "def (\n"))
    assert type(load("mine", write(tmp_path, PLAIN))) is type(first)


def test_a_feature_whose_class_is_the_same_is_used_on(tmp_path: Path) -> None:
    names = ["lamps", "mine", "hold"]
    standing = load_features(names, write(tmp_path, PLAIN), ENVIRONMENT)
    write(tmp_path, PLAIN + "\n")
    lamps, mine, hold = load_features(names, tmp_path, ENVIRONMENT, standing)
    assert (lamps, hold) == (standing[0], standing[2])
    assert type(mine).__name__ == "Mine" and mine is not standing[1]


def test_a_directory_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(LoadError, match="nowhere: not a directory") as caught:
        load_features(["hold"], tmp_path / "nowhere", ENVIRONMENT)
    assert caught.value.key == "feature_directory"


@pytest.mark.parametrize("name", ["", "a.b", "../hold", "hold.py", "a-b", "1st", "a b"])
def test_what_is_no_module_name(name: str, tmp_path: Path) -> None:
    assert "not a module name" in failure(name, tmp_path)


def test_one_that_is_named_twice() -> None:
    """Each state of a lamp was published twice."""
    with pytest.raises(LoadError, match=r"^feature 'lamps' stands there twice") as error:
        load_features(["lamps", "hold", "lamps"], None, ENVIRONMENT)
    assert error.value.key == "features"


def test_not_found(tmp_path: Path) -> None:
    text = failure("nothing_of_that_name", tmp_path)
    assert str(tmp_path) in text and ENTRY_POINTS in text and "plugins.communication_manager" in text
    assert "not found" in failure("nothing_of_that_name")


# -- installed distributions --------------------------------------------------------------------------------------


def install(monkeypatch: pytest.MonkeyPatch, load: Any) -> None:
    def entry_points(group: str, name: str) -> list[Any]:
        assert group == ENTRY_POINTS
        return [SimpleNamespace(value="there:Installed", load=load)] if name == "there" else []

    monkeypatch.setattr(importlib.metadata, "entry_points", entry_points)


def test_from_an_installed_distribution(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, lambda: Installed)
    assert type(load("there")) is Installed


@pytest.mark.parametrize("value", [object, 7, Installed()])
def test_an_entry_point_that_is_no_feature_class(value: object, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, lambda: value)
    assert "there:Installed is no Feature class" in failure("there")


def test_an_entry_point_that_does_not_load(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise ImportError("missing\nlibrary")

    install(monkeypatch, fail)
    assert "ImportError: missing library" in failure("there")


SCREENING = """
from screening.words import WORD
from b2bua.feature_server.feature import Feature


class Screening(Feature):
    word = WORD


class Other(Feature):
    word = WORD
"""


class Distribution:
    """A distribution as pip leaves it, with two features in a package of two modules."""

    def __init__(self, folder: Path) -> None:
        self.package = folder / "screening"
        self.package.mkdir()
        (self.package / "__init__.py").write_text("")
        (self.package / "features.py").write_text(SCREENING)
        self.says("one")
        about = folder / "screening-1.0.dist-info"
        about.mkdir()
        (about / "METADATA").write_text("Metadata-Version: 2.1\nName: screening\nVersion: 1.0\n")
        names = "screening = screening.features:Screening\nother = screening.features:Other\n"
        (about / "entry_points.txt").write_text(f"[{ENTRY_POINTS}]\n{names}")

    def says(self, word: str) -> None:
        (self.package / "words.py").write_text(f"WORD = {word!r}\n")


@pytest.fixture
def distribution(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Distribution]:
    made = Distribution(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    yield made
    for name in [name for name in sys.modules if name.partition(".")[0] == "screening"]:
        del sys.modules[name]


def word(feature: Feature) -> str:
    return str(vars(type(feature))["word"])


def test_a_distribution_that_changed_is_imported_anew_however_fast(distribution: Distribution) -> None:
    first, beside = load_features(["screening", "other"], None, Surroundings().environment)
    assert (word(first), word(beside)) == ("one", "one")
    standing = [first, beside]
    assert load_features(["screening", "other"], None, Surroundings().environment, standing) == standing
    distribution.says("two")
    after = load_features(["screening", "other"], None, Surroundings().environment, standing)
    assert [word(feature) for feature in (*after, *standing)] == ["two", "two", "one", "one"]
    assert load_features(["screening", "other"], None, Surroundings().environment, after) == after


def test_a_distribution_that_broke_leaves_what_is_in_use(distribution: Distribution) -> None:
    standing = load_features(["screening"], None, Surroundings().environment)
    module = sys.modules["screening.words"]
    (distribution.package / "words.py").write_text("WORD = 1 / 0\n")
    with pytest.raises(LoadError, match=r"^feature 'screening': screening\.features:Screening: ZeroDivisionError[^\n]*$"):
        load_features(["screening"], None, Surroundings().environment, standing)
    assert sys.modules["screening.words"] is module
    distribution.says("one")
    assert load_features(["screening"], None, Surroundings().environment, standing) == standing
    distribution.says("two")
    [after] = load_features(["screening"], None, Surroundings().environment, standing)
    assert word(after) == "two"


# -- feature servers ----------------------------------------------------------------------------------------------


def test_the_default_feature_server() -> None:
    environment = Surroundings().environment
    server = load_server("communication_manager", environment, [])
    assert isinstance(server, B2bua) and environment.layer.user is server
    assert server.calls() == {"early": 0, "confirmed": 0, "held": 0}


@pytest.mark.parametrize("name", ["nothing_of_that_name", "communication_manager.hold"])
def test_no_feature_server(name: str) -> None:
    with pytest.raises(LoadError) as error:
        load_server(name, ENVIRONMENT, [])
    assert "\n" not in str(error.value) and name in str(error.value)
