"""The body of a NOTIFY about a list (RFC 4662 §5), taken apart by Python's own MIME parser."""

from __future__ import annotations

from email import message_from_bytes
from typing import NamedTuple

from defusedxml.ElementTree import fromstring

_NS = "{urn:ietf:params:xml:ns:rlmi}"


class Listed(NamedTuple):
    """`documents`: uri → document of each active resource, `ended`: uri → reason of each other one."""

    uri: str
    version: int
    full: bool
    documents: dict[str, bytes]
    ended: dict[str, str]
    meta_information: bytes


def read_list(content_type: str, body: bytes) -> Listed:
    """AssertionError where the parts are not what RFC 4662 §5.5 wants."""
    mail = message_from_bytes(b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + body)
    assert mail.get_content_type() == "multipart/related" and mail.get_param("type") == "application/rlmi+xml"
    assert not mail.defects
    parts = {part["Content-ID"].strip("<>"): part for part in mail.get_payload()}
    root = mail.get_payload(0)
    assert root.get_content_type() == "application/rlmi+xml" and root["Content-ID"] == mail.get_param("start")
    text = root.get_payload(decode=True).strip()
    meta = fromstring(text)
    documents, ended = {}, {}
    for resource in meta:
        [instance] = resource
        if instance.get("state") == "active":
            documents[resource.get("uri")] = parts.pop(instance.get("cid")).get_payload(decode=True).strip()
        else:
            ended[resource.get("uri")] = instance.get("reason")
    assert len(parts) == 1, "a part that no resource names"
    full = meta.get("fullState") == "true"
    return Listed(meta.get("uri"), int(meta.get("version")), full, documents, ended, text)
