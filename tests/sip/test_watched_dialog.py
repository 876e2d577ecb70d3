"""Parameters of `Event: dialog` that name one dialog (RFC 4235 §3.2)."""

from __future__ import annotations

import pytest

from b2bua.sip.errors import MalformedValue
from b2bua.sip.watched_dialog import WatchedDialog, parse_watched_dialog


@pytest.mark.parametrize(
    ("event", "wanted"),
    [
        ("dialog", None),
        ("dialog;id=7", None),
        ("dialog;include-session-description", None),
        ("dialog;call-id=abc;to-tag=1;from-tag=2", WatchedDialog("abc", "1", "2")),
        ("dialog ; Call-ID=abc ; FROM-TAG=2 ; to-tag=1;id=7", WatchedDialog("abc", "1", "2")),
        ("dialog;call-id=abc;to-tag=1", WatchedDialog("abc", "1")),
        (r'dialog;call-id="a;b@\"c\":[::1]";to-tag=1', WatchedDialog('a;b@"c":[::1]', "1")),
    ],
)
def test_read(event: str, wanted: WatchedDialog | None) -> None:
    assert parse_watched_dialog(event) == wanted


@pytest.mark.parametrize(
    "event",
    [
        "dialog;call-id=abc", "dialog;to-tag=1", "dialog;from-tag=2;to-tag=1", "dialog;call-id=abc;from-tag=2",
        "dialog;call-id=;to-tag=1", 'dialog;call-id="";to-tag=1', "dialog;call-id=a;to-tag=1;to-tag=2",
        'dialog;call-id="a;to-tag=1',
    ],
)  # fmt: skip
def test_half_of_one(event: str) -> None:
    with pytest.raises(MalformedValue):
        parse_watched_dialog(event)


def test_what_is_meant() -> None:
    one, any_of_them = WatchedDialog("abc", "1", "2"), WatchedDialog("abc", "1")
    assert one.has(("abc", "1", "2")) and any_of_them.has(("abc", "1", "2"))
    assert not one.has(("abc", "1", "3")) and any_of_them.has(("abc", "1", "3"))
    assert not any_of_them.has(("abc", "2", "1")) and not any_of_them.has(("abd", "1", "2"))
