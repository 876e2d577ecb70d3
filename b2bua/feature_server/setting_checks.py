"""Whether a setting is one that some feature has, and may have that value."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence

from b2bua.feature_server.feature import Feature
from b2bua.feature_server.user_settings import check_text


def check_setting(features: Iterable[type[Feature]], name: str, value: str) -> None:
    """ValueError, a sentence, when none of these features has such a setting, or it takes no such value."""
    known = {setting: feature for feature in features for setting in feature.settings}
    if name not in known:
        nearest = difflib.get_close_matches(name, known, n=1, cutoff=0.0)
        hint = f"; the nearest known setting is {nearest[0]!r}" if nearest else "; no feature has settings"
        raise ValueError(f"unknown setting {name!r}{hint}")
    check_text(name, value)
    if value:
        known[name].check_setting(name, value)


def check_defaults(features: Sequence[type[Feature]], defaults: Mapping[str, str]) -> None:
    """The same for the defaults of the configuration."""
    for name, value in defaults.items():
        try:
            check_setting(features, name, value)
        except ValueError as error:
            text = str(error)
            raise ValueError(text if text.startswith("unknown") else f"{name}: {text}") from None
