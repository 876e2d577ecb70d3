"""The document of `avaya-cm-feature-status`."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from b2bua.sip.errors import MalformedValue
from b2bua.sip.feature_status import MOST, FeatureStatus, parse_feature_status

AOR = "sip:6001@example.com"


def test_as_in_traces() -> None:
    text = FeatureStatus(AOR, (("call-forwarding-all", "off"), ("send-all-calls", "on")), 3, False).encode().decode()
    assert f'<feature-status entity="{AOR}" version="3" state="partial">' in text
    assert '<feature name="call-forwarding-all" status="off"/>' in text


WORDS = st.text("abcXYZ019-._", min_size=1, max_size=64)


@given(
    st.builds(
        FeatureStatus, st.sampled_from((AOR, "sip:a&b<c>\"d@example.com", "sips:6001@[::1]")),
        st.dictionaries(WORDS, st.sampled_from(("on", "off")) | WORDS, max_size=5).map(lambda features: tuple(features.items())),
        st.integers(0, 2**32 - 1), st.booleans(),
    )
)  # fmt: skip
def test_a_document_reads_as_it_was_written(document: FeatureStatus) -> None:
    assert parse_feature_status(document.encode()) == document


@pytest.mark.parametrize("version", ["", "x", "-1", "٣", "9" * 5000])
def test_a_version_that_is_none_counts_as_the_first(version: str) -> None:
    body = f"<feature-status entity='{AOR}' version='{version}'/>".encode()
    assert parse_feature_status(body) == FeatureStatus(AOR)


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
