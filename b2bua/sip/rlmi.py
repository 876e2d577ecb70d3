"""The state of a list of resources in one body (RFC 4662 §5): an RLMI document and what it points to, as multipart/related."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Final, NamedTuple

from b2bua.sip.xml_text import xml_document, xml_text

CONTENT_TYPE: Final = "application/rlmi+xml"
EVENTLIST: Final = "eventlist"
"""The option tag."""
NAMESPACE: Final = "urn:ietf:params:xml:ns:rlmi"


class Resource(NamedTuple):
    """One resource of a list, with its one instance."""

    uri: str
    document: bytes | None
    """Its state, of the package's content type; None: the subscription to it has ended."""
    reason: str = ""
    """Why, as in Subscription-State: `rejected`, `noresource`."""


class ListState(NamedTuple):
    """The body of one NOTIFY."""

    uri: str
    version: int
    full: bool
    """Whether all resources of the list are here."""
    resources: Sequence[Resource]

    def encode(self, content_type: str, unique: str, host: str) -> tuple[str, bytes]:
        """Content-Type and body. `unique` is text that stands in no other body, for the Content-IDs; `content_type` is that of
        the resources' documents."""
        names = [f"{unique}.{number}@{host}" for number in range(len(self.resources))]
        root = f"{unique}.list@{host}"
        parts = [_part(root, f'{CONTENT_TYPE};charset="UTF-8"', self._meta_information(names))]
        for name, resource in zip(names, self.resources, strict=True):
            if resource.document is not None:
                parts.append(_part(name, f'{content_type};charset="UTF-8"', resource.document))
        # It stands in no part (RFC 2046 §5.1.1): nobody can write a document that holds a digest of itself.
        boundary = sha256(b"".join(parts)).hexdigest()[:40]
        opening = f"--{boundary}\r\n".encode()
        body = b"".join(opening + part for part in parts) + f"--{boundary}--\r\n".encode()
        return f'multipart/related;type="{CONTENT_TYPE}";start="<{root}>";boundary="{boundary}"', body

    def _meta_information(self, names: list[str]) -> bytes:
        resources = "".join(_resource(resource, name) for resource, name in zip(self.resources, names, strict=True))
        full = "true" if self.full else "false"
        return xml_document(
            f'<list xmlns="{NAMESPACE}" uri="{xml_text(self.uri)}" version="{self.version}" fullState="{full}">\n'
            f"{resources}</list>"
        )


def _resource(resource: Resource, name: str) -> str:
    if resource.document is None:
        instance = f'<instance id="1" state="terminated" reason="{xml_text(resource.reason)}"/>'
    else:
        instance = f'<instance id="1" state="active" cid="{xml_text(name)}"/>'
    return f'<resource uri="{xml_text(resource.uri)}">{instance}</resource>\n'


def _part(name: str, content_type: str, body: bytes) -> bytes:
    head = f"Content-Transfer-Encoding: binary\r\nContent-ID: <{name}>\r\nContent-Type: {content_type}\r\n\r\n"
    return head.encode() + body + b"\r\n"
