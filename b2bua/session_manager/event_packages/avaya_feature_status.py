"""The event package `avaya-cm-feature-status`, Avaya-style: which features of its user a phone is to show as on.

Feature servers publish it. A phone of that kind waits 16 s for an active NOTIFY of it before it takes the server for another's,
so that there is one even when nothing was published.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from b2bua.session_manager.event_packages.package import EventPackage, Form, Published
from b2bua.sip.feature_status import CONTENT_TYPE, FeatureStatus, parse_feature_status
from b2bua.sip.profiles import AVAYA


def compose(aor: str, published: Sequence[Published]) -> FeatureStatus:
    """All features of all publications; of one that stands in several the newest counts."""
    features: dict[str, str] = {}
    for one in published:  # oldest first
        features |= dict(one.value.features)
    return FeatureStatus(aor, tuple(sorted(features.items())))


def published(body: bytes) -> FeatureStatus:
    """What a feature server says is on. The versions that it counts are its own: the same features are the same state."""
    return FeatureStatus(*parse_feature_status(body)[:2])


def document(value: FeatureStatus, before: FeatureStatus | None, version: int, _form: Form) -> bytes:
    """Everything, or what has changed; a feature that is gone cannot be said but by a full document."""
    if before is None or not {name for name, _ in before.features} <= {name for name, _ in value.features}:
        return value._replace(version=version).encode()
    changed = tuple(one for one in value.features if one not in before.features)
    return FeatureStatus(value.entity, changed, version, False).encode()


AVAYA_FEATURE_STATUS: Final = EventPackage(
    name="avaya-cm-feature-status",
    content_type=CONTENT_TYPE,
    default_expires=3600,
    min_expires=60,
    max_expires=3600,
    min_interval=1.0,
    value_type=FeatureStatus,
    parse=published,
    call_of=lambda value: "",
    compose=compose,
    view=lambda value, whole: value,
    encode=lambda value, version: value._replace(version=version).encode(),
    audience="owner",
    profile=AVAYA,
    publishers="links",
    document=document,
    partial=True,
)
