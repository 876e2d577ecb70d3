"""The document of `avaya-cm-feature-status`: which features of a user are on. Shape and names are those of traces (one element
without a namespace, `full` and `partial` as in dialog-info); what else such a document may hold was not seen: open.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from b2bua.sip.errors import MalformedValue
from b2bua.sip.xml_text import local_name, read_xml, xml_document, xml_text

CONTENT_TYPE: Final = "application/avaya-cm-feature-status+xml"
MOST: Final = 200
"""Features of one document: more than a phone has keys."""
_WORD: Final = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)


class FeatureStatus(NamedTuple):
    """A document. `features` are pairs of name and status, `on` or `off` as far as was seen."""

    entity: str
    features: tuple[tuple[str, str], ...] = ()
    version: int = 0
    full: bool = True

    def encode(self) -> bytes:
        features = "".join(
            f'<feature name="{xml_text(name)}" status="{xml_text(status)}"/>\n' for name, status in self.features
        )
        state = "full" if self.full else "partial"
        head = f'<feature-status entity="{xml_text(self.entity)}" version="{self.version}" state="{state}">'
        return xml_document(f"{head}\n{features}</feature-status>")


def parse_feature_status(body: bytes) -> FeatureStatus:
    """A document as a value; MalformedValue (400) for what is none. A version that is no number is 0."""
    root = read_xml(body, "feature-status")
    features: dict[str, str] = {}
    for child in root:
        if local_name(child) == "feature":
            name, status = child.get("name", ""), child.get("status", "")
            if _WORD.fullmatch(name) is None or _WORD.fullmatch(status) is None:
                raise MalformedValue("feature")
            features[name] = status
    if not root.get("entity") or len(features) > MOST:
        raise MalformedValue("feature-status document")
    version = root.get("version", "")
    number = int(version) if version.isascii() and version.isdigit() and len(version) <= 10 else 0
    return FeatureStatus(root.get("entity", ""), tuple(features.items()), number, root.get("state") != "partial")
