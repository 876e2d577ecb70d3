"""Several servers as one trace: what two of them saw, clocks that differ, names, and calls that turn out to be one."""

from __future__ import annotations

import json
from typing import Any

import pytest

from b2bua.sip.response_to import response_to
from b2bua.trace import http_client, servers
from b2bua.trace.feed import News
from b2bua.trace.http_client import Address, TraceError
from b2bua.trace.merging import Merging, Node
from b2bua.trace.names import CM
from b2bua.trace.servers import Server, Servers, parse_servers
from tests.trace.hand_made import request

Record = dict[str, Any]


def record(time: float, source: str, destination: str, call_id: str = "c", call: str | None = "c", **more: Any) -> Record:
    invite = request("INVITE", "6001", "6002", call_id, 1)
    return {"time": time, "source": source, "destination": destination, "transport": "udp", "call": call,
            "retransmission": False, "message": invite.encode().decode(), **more}  # fmt: skip


def pair() -> tuple[Node, Node]:
    return Node("one"), Node("two")


def test_what_both_ends_saw_is_one_arrow_with_the_names_that_each_has_for_itself() -> None:
    one, two = pair()
    sent = record(10.0, "SM", "trunk", decisions=["routing rule x: out"], source_address="192.0.2.1:5060")
    got = record(10.2, "192.0.2.1:5060", "SM", "c", "c", note="call", destination_address="192.0.2.2:5060")
    [arrow] = Merging((one, two)).take([(two, got), (one, sent)])
    assert (arrow["source"], arrow["destination"], arrow["node"], arrow["time"]) == ("SM", "SM@two", "one+two", 10.0)
    assert (arrow["note"], arrow["decisions"]) == ("call", ["routing rule x: out"])
    assert (arrow["source_address"], arrow["destination_address"]) == ("192.0.2.1:5060", "192.0.2.2:5060")


def test_the_receiver_may_be_heard_first_and_the_sender_later() -> None:
    one, two = pair()
    merging = Merging((one, two))
    [arrow] = merging.take([(two, record(10.2, "192.0.2.1:5060", "SM"))])
    assert (arrow["source"], arrow["node"]) == ("192.0.2.1:5060", "two")
    assert merging.take([(one, record(10.0, "SM", "trunk"))]) == []
    assert (arrow["source"], arrow["destination"], arrow["node"]) == ("SM", "SM@two", "one+two")


def test_a_feature_server_elsewhere_has_no_names_of_its_own() -> None:
    one, two = pair()
    two.role = CM
    found = Merging((one, two)).take([
        (one, record(1.0, "SM", CM)), (two, record(1.1, "SM", CM)),
        (two, record(2.0, CM, "SM", "leg", "leg")), (one, record(2.1, CM, "SM", "leg", "c")),
    ])  # fmt: skip
    assert [(each["source"], each["destination"], each["node"]) for each in found] == [
        ("SM", "CM", "one+two"), ("CM", "SM", "two+one"),
    ]  # fmt: skip
    assert {each["call"] for each in found} == {"c"}, "one call, though each server has a name of its own for it"


def test_users_of_the_second_server_are_told_from_those_of_the_first() -> None:
    one, two = pair()
    found = Merging((one, two)).take([(one, record(1.0, "6001", "SM")), (two, record(2.0, "6001", "SM", "d", "d"))])
    assert [each["source"] for each in found] == ["6001", "6001@two"]
    assert [each["call"] for each in found] == ["c", "d"]


def test_clocks_are_corrected_before_anything_is_compared() -> None:
    one, two = pair()
    two.ahead = 100.0
    found = Merging((one, two)).take([(one, record(10.0, "SM", "trunk")), (two, record(110.1, "x:1", "SM"))])
    assert [(each["time"], each["node"]) for each in found] == [(10.0, "one+two")]


def test_copies_find_one_end_each_and_what_comes_much_later_is_another() -> None:
    one, two = pair()
    sights = [(one, record(at, "SM", "trunk", retransmission=at > 1)) for at in (1.0, 1.5, 2.5)]
    sights += [(two, record(at, "x:1", "SM")) for at in (1.1, 2.6, 30.0)]
    found = Merging((one, two)).take(sights)
    assert [each["node"] for each in found] == ["one+two", "one+two", "one", "two"]


def test_within_one_server_nothing_is_joined_and_what_is_no_call_stays_none() -> None:
    one, two = pair()
    inside = record(1.0, "SM", "CM", transport="memory")
    register = request("REGISTER", "6001", "6001", "r", 1)
    outside = record(2.0, "6001", "SM", call=None) | {"message": register.encode().decode()}
    answer = outside | {"message": response_to(register, 200).encode().decode(), "time": 3.0}
    found = Merging((one, two)).take([(one, inside), (two, inside), (two, outside), (two, answer)])
    assert [each["node"] for each in found] == ["one", "two", "two", "two"]
    assert [each["call"] for each in found][2:] == [None, None]


# ---- which servers


def test_names_urls_and_tokens() -> None:
    found = parse_servers(["http://a:1", "lab-2=https://b/x?y=1"], ["t"])
    assert found == [Server("1", Address("http://a:1", "t")), Server("lab-2", Address("https://b/x?y=1", "t"))]
    for words, tokens, said in (
        (["a=http://a", "a=http://b"], [], "same name"), (["a b=http://a"], [], "no name"),
        (["http://a"], ["x", "y"], "one for all"),
    ):  # fmt: skip
        with pytest.raises(TraceError, match=said):
            parse_servers(words, tokens)


def test_a_token_is_read_and_a_bad_one_is_said(tmp_path: Any) -> None:
    file = tmp_path / "token"
    for text, said in ((None, "No such file"), ("two words\n", "no token"), ("\n", "no token")):
        if text is not None:
            file.write_text(text)
        with pytest.raises(TraceError, match=said) as caught:
            http_client._token(str(file))
        assert "two" not in str(caught.value)
    file.write_text("abc.def-1\nsecond line\n")
    assert http_client._token(str(file)) == "abc.def-1"


def test_a_clock_counts_only_beyond_the_journey() -> None:
    assert http_client._ahead("", 1.0, 2.0) == http_client._ahead("x", 1.0, 2.0) == 0.0
    assert http_client._ahead("1001.6", 1001.0, 1002.0) == 0.0
    assert http_client._ahead("1011.5", 1001.0, 1002.0) == pytest.approx(10.0)


# ---- over time


class FakeBackground:
    """Brings what a test puts into `news`."""

    made: list[FakeBackground]

    def __init__(self, follower: object) -> None:
        self.news: list[News] = []
        self.made.append(self)

    def take(self) -> list[News]:
        taken, self.news = self.news, []
        return taken

    def stop(self) -> None:
        return


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def followed(monkeypatch: pytest.MonkeyPatch) -> tuple[Servers, list[FakeBackground], Clock]:
    FakeBackground.made = []
    monkeypatch.setattr(servers, "Background", FakeBackground)
    clock = Clock()
    words = parse_servers(["one=http://192.0.2.1", "two=http://192.0.2.2"], ())
    return Servers(words, {}, now=clock), FakeBackground.made, clock


def shown(view: Servers) -> list[float]:
    return [each["time"] for news in view.take() for each in news.records]


def test_records_wait_for_those_of_the_other_server(followed: tuple[Servers, list[FakeBackground], Clock]) -> None:
    view, (one, two), clock = followed
    one.news = [News(), News([record(5.0, "6001", "SM"), record(9.0, "6001", "SM", "e", "e")])]
    assert shown(view) == [] and view.state == "live, 1 of 2 servers"
    clock.now = 1.0
    assert shown(view) == [], "the other has not answered yet"
    two.news = [News([record(7.0, "6001", "SM", "d", "d")])]
    assert shown(view) == [5.0], "what comes from the other is newer than this"
    clock.now = 2.0
    assert shown(view) == [7.0, 9.0] and view.state == "live, 2 of 2 servers"


def test_who_is_gone_is_not_waited_for_and_who_never_came_not_long(
    followed: tuple[Servers, list[FakeBackground], Clock],
) -> None:
    view, (one, two), clock = followed
    one.news = [News([record(5.0, "6001", "SM")])]
    two.news = [News(gap="12:00:00 the server is gone: refused; waiting for it")]
    told = [news.gap for news in view.take()]
    assert told == ["two: 12:00:00 the server is gone: refused; waiting for it"]
    assert view.state == "live, 1 of 2 servers (without two)"
    clock.now = 0.8
    assert shown(view) == [5.0]
    two.news = [News(gap="12:00:05 connected again"), News(ahead=2.5, role="SM")]
    assert [news.gap for news in view.take()] == [
        "two: 12:00:05 connected again", "two: its clock is 2.500 s ahead of ours, its times are corrected",
    ]  # fmt: skip


def test_the_kept_part_of_one_does_not_overtake_that_of_the_other(
    followed: tuple[Servers, list[FakeBackground], Clock],
) -> None:
    view, (one, two), clock = followed
    one.news = [News([record(1.0, "a", "SM", "k", "k"), record(50.0, "a", "SM")])]
    two.news = [News([record(2.0, "b", "SM", "d", "d")])]
    assert shown(view) == []
    for at in (0.5, 1.0):
        clock.now = at
        two.news = [News([record(3.0 + at, "b", "SM", f"d{at}", "d")])]
        assert 50.0 not in shown(view)
    clock.now = 3.0
    assert shown(view)[-1] == 50.0


def test_records_are_json(followed: tuple[Servers, list[FakeBackground], Clock]) -> None:
    one, two = pair()
    assert json.dumps(Merging((one, two)).take([(one, record(1.0, "SM", "x"))]))
