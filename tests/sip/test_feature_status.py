"""The document of `avaya-cm-feature-status`."""

from __future__ import annotations

import pytest

from b2bua.sip.errors import MalformedValue
from b2bua.sip.feature_status import MOST, FeatureStatus, parse_feature_status

AOR = "sip:6001@example.com"


def test_as_in_traces() -> None:
    text = FeatureStatus(AOR, (("call-forwarding-all", "off"), ("send-all-calls", "on")), 3, False).encode().decode()
    assert f'<feature-status entity="{AOR}" version="3" state="partial">' in text
    assert '<feature name="call-forwarding-all" status="off"/>' in text


def test_a_document_reads_as_it_was_written() -> None:
    document = FeatureStatus(AOR, (("a", "on"), ("b", "off")))
    assert parse_feature_status(document.encode()) == document


@pytest.mark.parametrize("body", [
    b"", b"<feature-status/>", b"<features entity='sip:6001@example.com'/>",
    b"<feature-status entity='sip:6001@example.com'><feature status='on'/></feature-status>",
    b"<feature-status entity='sip:6001@example.com'><feature name='a b' status='on'/></feature-status>",
    b"<feature-status entity='sip:6001@example.com'><feature name='a' status=''/></feature-status>",
    FeatureStatus(AOR, tuple((f"f{number}", "on") for number in range(MOST + 1))).encode(),
])  # fmt: skip
def test_what_is_none(body: bytes) -> None:
    with pytest.raises(MalformedValue):
        parse_feature_status(body)
