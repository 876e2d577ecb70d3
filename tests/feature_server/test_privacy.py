"""What a privacy service does to a message (RFC 3323 §5)."""

from __future__ import annotations

import pytest

from b2bua.feature_server.privacy import check_privacy, keep_private
from b2bua.sip.errors import SipError
from b2bua.sip.message import Request
from b2bua.sip.privacy import privacy_levels

TELLING = ("Subject", "Call-Info", "Organization", "User-Agent", "Reply-To", "In-Reply-To", "P-Asserted-Identity")


def message(privacy: str) -> Request:
    made = Request("INVITE", "sip:6002@example.com", [], [])
    for name in (*TELLING, "Reason", "Warning"):
        made.append(name, "x")
    if privacy:
        made.append("Privacy", privacy)
    return made


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("user", None), ("header", None), ("user;header", None), ("user;critical", None), ("user;id", "id"),
        ("header;id;critical", "id;critical"), ("user;session", "session"), ("id", "id"), ("session", "session"),
        ("none", "none"), ("none;user", "none;user"), ("", None),
    ],
)  # fmt: skip
def test_what_is_done_is_no_longer_asked_for(before: str, after: str | None) -> None:
    made = message(before)
    keep_private(made)
    assert made.get("Privacy") == after
    hides = "user" in privacy_levels(message(before))
    assert [name for name in TELLING if made.has(name)] == ([] if hides else list(TELLING))
    assert made.has("Reason") and made.has("Warning")


@pytest.mark.parametrize("level", ["user", "header", "id", "none", "session", "history"])
@pytest.mark.parametrize("critical", [True, False])
def test_what_cannot_be_given_is_refused_where_it_is_critical(level: str, critical: bool) -> None:
    made = message(level + (";critical" if critical else ""))
    if critical and level in ("session", "history"):
        with pytest.raises(SipError, match=level) as caught:
            check_privacy(made)
        assert caught.value.status == 500
    else:
        check_privacy(made)
