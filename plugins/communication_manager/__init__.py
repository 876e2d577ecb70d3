"""Communication Manager: the default feature server, a B2BUA with the features that the configuration names in order."""

from __future__ import annotations

from collections.abc import Sequence

from b2bua.feature_server.b2bua import B2bua
from b2bua.feature_server.contract import Environment
from b2bua.feature_server.feature import Feature
from b2bua.feature_server.feature_server import FeatureServer


def feature_server(environment: Environment, features: Sequence[Feature]) -> FeatureServer:
    """Called by the loader."""
    return B2bua(environment, features)
