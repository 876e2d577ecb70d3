"""The record of a publication: what an event state compositor needs to know it again after a restart (RFC 3903 §6)."""

from __future__ import annotations

from typing import Final

import msgspec

PUBLICATION: Final = "publication"
"""The kind of these records; their key is the publication's number."""
PUBLICATION_VERSION: Final = 1


class PublicationRecord(msgspec.Struct, frozen=True):
    """One publication of a phone, or of a feature server in another process."""

    number: int
    package: str
    aor: str
    link: str
    """The feature server's link, "" for a phone."""
    tag: str
    """The entity tag that the next PUBLISH has to name."""
    document: str
    """The state, as a document of the package."""
    call: str
    expires_at: float
    """Unix seconds."""
    version: int = PUBLICATION_VERSION
