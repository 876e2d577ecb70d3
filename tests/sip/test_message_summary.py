"""RFC 3842 §5.2: the document that tells of messages waiting."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from b2bua.sip.errors import MalformedValue
from b2bua.sip.message_summary import MAX_CLASSES, MOST, Counts, MessageSummary, parse_message_summary, voice_messages

COUNT = st.integers(0, MOST)
COUNTS = st.builds(
    Counts, st.sampled_from(("Voice-Message", "Fax-Message", "none")), COUNT, COUNT, st.none() | st.tuples(COUNT, COUNT)
)
ACCOUNTS = st.sampled_from(("", "sip:6001@example.com", "tel:+4930123"))


@given(st.builds(MessageSummary, st.booleans(), ACCOUNTS, st.lists(COUNTS, max_size=4).map(tuple)))
def test_a_document_reads_as_it_was_written(summary: MessageSummary) -> None:
    assert parse_message_summary(summary.encode()) == summary


def test_as_in_the_rfc() -> None:
    """§3.5: spaces are free, a single LF is forgiven, headers of single messages are passed over."""
    text = (
        b"messages-waiting : YES\nMessage-Account:sip:alice@example.com\nVoice-Message: 4 / 8 ( 1 / 2 )\n\nTo: <a@example.com>\n"
    )
    summary = parse_message_summary(text)
    assert summary == MessageSummary(True, "sip:alice@example.com", (Counts("Voice-Message", 4, 8, (1, 2)),))
    assert summary.encode() == (
        b"Messages-Waiting: yes\r\nMessage-Account: sip:alice@example.com\r\nVoice-Message: 4/8 (1/2)\r\n"
    )


def test_larger_counts_are_the_largest() -> None:
    [counts] = parse_message_summary(b"Messages-Waiting: yes\r\nVoice-Message: 4294967296/99999999999999999999\r\n").counts
    assert (counts.new, counts.old) == (MOST, MOST)


@pytest.mark.parametrize("body", [
    b"", b"\r\n", b"Messages-Waiting\r\n", b"Messages-Waiting: maybe\r\n", b"Voice-Message: 1/0\r\nMessages-Waiting: yes\r\n",
    b"Messages-Waiting: yes\r\nVoice-Message: 1\r\n", b"Messages-Waiting: yes\r\nVoice-Message: -1/0\r\n",
    b"Messages-Waiting: yes\r\nVoice-Message: 1/0 (1)\r\n", b"Messages-Waiting: yes\r\nVoice Message: 1/0\r\n",
    b"Messages-Waiting: yes\r\nMessage-Account: <sip:a@example.com>\r\n", b"Messages-Waiting: yes\r\nMessage-Account: nobody\r\n",
    b"Messages-Waiting: yes\xff\r\n", b"Messages-Waiting: yes\r\n" + b"Voice-Message: 1/0\r\n" * (MAX_CLASSES + 1),
    "Messages-Waiting: yes\r\nVoice-Message: ١/٢\r\n".encode(),
])  # fmt: skip
def test_what_is_none(body: bytes) -> None:
    with pytest.raises(MalformedValue) as caught:
        parse_message_summary(body)
    assert caught.value.status == 400


@pytest.mark.parametrize(("new", "old", "waiting"), [(0, 0, False), (0, 3, False), (1, 0, True)])
def test_only_new_messages_wait(new: int, old: int, waiting: bool) -> None:
    assert voice_messages(new, old).waiting is waiting
