"""Which names faults of features may have."""

from __future__ import annotations

from pathlib import Path

import pytest

from b2bua.faults.fault import ACTIONS
from b2bua.feature_server.feature_faults import BUILT_IN
from b2bua.feature_server.loader import LoadError, find_features

FILE = '''
from b2bua.feature_server.feature import Feature

class Mishaps(Feature):
    faults = {"lose": "it is lost"}
'''


def test_the_names_of_the_programs_own_faults() -> None:
    assert set(BUILT_IN) == set(ACTIONS)


@pytest.mark.parametrize(
    ("faults", "words"),
    [
        ('{"drop": "lost"}', "drop is a fault of the program itself"),
        ('{"two words": "lost"}', "'two words' is no name for a fault"),
        ('{"lose": "lost"}', "lose: two features have a fault of this name"),
    ],
)
def test_names_that_cannot_be(tmp_path: Path, faults: str, words: str) -> None:
    (tmp_path / "mishaps.py").write_text(FILE)
    text = f"from b2bua.feature_server.feature import Feature\n\nclass Other(Feature):\n    faults = {faults}\n"
    (tmp_path / "other.py").write_text(text)
    with pytest.raises(LoadError, match=words):
        find_features(("mishaps", "other"), tmp_path)
