"""The feature codes that the configuration has chosen; what they do is in feature_codes.py."""

from __future__ import annotations

from collections.abc import Mapping


class FeatureCodes:
    """Name → code, "" for none. Followed on SIGHUP."""

    def __init__(self, chosen: Mapping[str, str] | None = None) -> None:
        self.chosen = dict(chosen or {})

    def follow(self, chosen: Mapping[str, str]) -> None:
        """Go on with these; the features that are used next have them."""
        self.chosen = dict(chosen)
