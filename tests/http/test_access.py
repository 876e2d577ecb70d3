"""Who gets in: by place, by session, by token, in which role; and the log-in page itself."""

from __future__ import annotations

import json
from itertools import count
from typing import Any

import pytest
from twisted.internet.defer import Deferred

from b2bua.http.access import Access
from b2bua.http.api_control import ReloadPage
from b2bua.http.api_session import MAX_CHECKED
from b2bua.http.attempts import MOST_WRONG
from b2bua.http.passwords import LONGEST, SHORTEST, hashed, is_right
from b2bua.http.sessions import LIFE_SECONDS
from b2bua.store.console_user_record import ConsoleUserRecord
from b2bua.store.record_text import encode_record
from b2bua.store.token_record import TokenRecord, token_hash
from b2bua.trace.recorder import Recorder
from tests.http.live import site_of
from tests.http.requests import FakeRequest

PASSWORD = "a-long-password"
HASH = hashed(PASSWORD)
ELSEWHERE = "192.0.2.7"


class Door:
    """A site with accounts; passwords are checked at once, or when the test says so."""

    def __init__(self, public_only: bool = False, wait: bool = False) -> None:
        self.seconds = 0.0
        numbers = count(1)
        self.began: list[str] = []
        self.access = Access(
            public_only, lambda: self.seconds, lambda: f"secret-{next(numbers)}", lambda: self.began.append("log-in")
        )
        self.told: list[str] = []
        self.waiting: list[tuple[Deferred[bool], bool]] = []
        self._wait = wait
        self.reloads = 0
        self.site = site_of(
            Recorder(5, lambda: 0.0), access=self.access, trace_secrets=True, told=self.told.append, run=self._run,
            controls={b"reload": ReloadPage(self._reload)},
        )  # fmt: skip

    def _reload(self) -> str:
        self.reloads += 1
        return ""

    def _run(self, function: Any, *arguments: Any) -> Deferred[bool]:
        deferred: Deferred[bool] = Deferred()
        result = function(*arguments)
        if self._wait:
            self.waiting.append((deferred, result))
        else:
            deferred.callback(result)
        return deferred

    def users(self, *records: ConsoleUserRecord) -> None:
        self.access.accounts.take_users([(one.name, encode_record(one)) for one in records])

    def tokens(self, *records: TokenRecord) -> None:
        self.access.accounts.take_tokens([(one.name, encode_record(one)) for one in records])

    def ask(self, method: str, path: str, client: str = ELSEWHERE, document: object = None, **headers: str) -> FakeRequest:
        body = b"" if document is None else json.dumps(document).encode()
        request = FakeRequest(path, client, "pbx.example.com", body, **headers)
        request.method = method.encode()
        request.render(self.site.getResourceFor(request))
        return request

    def log_in(self, name: str, password: str = PASSWORD, client: str = ELSEWHERE) -> FakeRequest:
        return self.ask("POST", "/api/session", client, {"name": name, "password": password}, x_b2bua="1")

    def cookie(self, name: str) -> str:
        return cookies(self.log_in(name))[0].partition(";")[0]


def cookies(answer: FakeRequest) -> list[str]:
    return list(answer.responseHeaders.getRawHeaders("set-cookie") or ())


READER = ConsoleUserRecord("rita", "read-only", HASH)
OPERATOR = ConsoleUserRecord("otto", "operator", HASH)


@pytest.fixture
def door() -> Door:
    made = Door()
    made.users(READER, OPERATOR)
    return made


def test_with_a_log_in_nobody_gets_in_without(door: Door) -> None:
    for client in (ELSEWHERE, "127.0.0.1"):
        answer = door.ask("GET", "/api/trace", client)
        assert (answer.responseCode, answer.text) == (401, "log in, or send a token: b2bua token add\n")
        assert answer.responseHeaders.getRawHeaders("www-authenticate") == ['Bearer realm="b2bua"']
    assert door.ask("GET", "/").responseCode == 200  # the form; there is nothing in it
    assert json.loads(door.ask("GET", "/api/session").text) == {"name": None, "role": None, "login": True}
    assert door.began == ["log-in"]


def test_off_loopback_it_is_shut_until_there_is_one() -> None:
    door = Door(public_only=True)
    for path in ("/", "/api/session", "/api/trace", "/api/openapi.json"):
        assert door.ask("GET", path).responseCode == 403
    assert door.log_in("rita").responseCode == 403
    door.users(READER)
    assert door.log_in("rita").responseCode == 200


def test_logging_in_and_out(door: Door) -> None:
    answer = door.log_in("rita")
    assert (answer.responseCode, json.loads(answer.text)) == (200, {"name": "rita", "role": "read-only", "login": True})
    [cookie] = cookies(answer)
    assert cookie == f"b2bua-8080=secret-1; Path=/; Max-Age={LIFE_SECONDS:.0f}; HttpOnly; SameSite=Strict"
    sent = {"cookie": "other=1; b2bua-8080=secret-1"}
    assert door.ask("GET", "/api/openapi.json", **sent).responseCode == 200
    assert json.loads(door.ask("GET", "/api/session", **sent).text)["name"] == "rita"
    assert cookies(door.ask("DELETE", "/api/session", x_b2bua="1", **sent))[0].startswith("b2bua-8080=; Path=/; Max-Age=0;")
    assert door.ask("GET", "/api/openapi.json", **sent).responseCode == 401


def test_over_tls_the_cookie_stays_there(door: Door) -> None:
    document = {"name": "rita", "password": PASSWORD}
    answer = door.ask("POST", "/api/session", document=document, x_b2bua="1", x_forwarded_proto="https")
    assert cookies(answer)[0].endswith("; Secure")


def test_a_wrong_name_and_a_wrong_password_get_the_same_bytes(door: Door) -> None:
    one, other = door.log_in("rita", "a-wrong-password"), door.log_in("nobody")
    assert (one.responseCode, one.text) == (401, "name or password is wrong\n")
    assert (one.responseCode, one.text, list(one.responseHeaders.getAllRawHeaders())) == (
        other.responseCode, other.text, list(other.responseHeaders.getAllRawHeaders()),
    )  # fmt: skip
    assert door.told == ["wrong", "wrong"]


def test_a_user_who_does_not_exist_costs_the_same_work() -> None:
    """Not timed: the very same function runs on a hash of the same cost, and its result does not count."""
    from b2bua.http import passwords

    assert passwords._NOBODY.rpartition("p=1$")[0] == HASH.rpartition("p=1$")[0]
    assert not is_right(PASSWORD, None)


def test_too_many_wrong_ones_are_refused_visibly_and_the_right_one_too(door: Door) -> None:
    for _ in range(MOST_WRONG):
        assert door.log_in("rita", "a-wrong-password").responseCode == 401
    answer = door.log_in("rita")
    assert (answer.responseCode, answer.responseMessage) == (429, b"Too Many Requests")
    assert answer.text.startswith("too many wrong log-ins from this address: wait ")
    assert 0 < int((answer.responseHeaders.getRawHeaders("retry-after") or ["0"])[0]) <= 60
    assert door.told[-1] == "limited"
    assert door.log_in("rita", client="192.0.2.8").responseCode == 200


@pytest.mark.parametrize(
    "document", [None, [], {"name": "rita"}, {"name": "rita", "password": 1}, {"name": "x" * 9000, "password": ""}]
)
def test_what_is_no_log_in(door: Door, document: object) -> None:
    assert door.ask("POST", "/api/session", document=document, x_b2bua="1").responseCode == 400
    assert door.told == []


def test_so_many_are_checked_at_a_time() -> None:
    door = Door(wait=True)
    door.users(READER)
    first, *others = [door.log_in("rita", client=f"192.0.2.{number}") for number in range(MAX_CHECKED)]
    assert not first.finished
    assert door.log_in("rita", client="192.0.2.99").responseCode == 503
    others[0].hang_up()
    for deferred, result in door.waiting:
        deferred.callback(result)
    assert first.responseCode == 200 and not others[0].text
    assert len(door.access.sessions) == MAX_CHECKED - 1


def test_an_account_that_goes_while_its_password_is_checked() -> None:
    door = Door(wait=True)
    door.users(READER)
    answer = door.log_in("rita")
    door.users(OPERATOR)
    [(deferred, result)] = door.waiting
    deferred.callback(result)
    assert result and answer.responseCode == 401


def test_a_reader_changes_nothing_and_an_operator_may(door: Door) -> None:
    answer = door.ask("POST", "/api/reload", cookie=door.cookie("rita"), x_b2bua="1")
    assert (answer.responseCode, answer.text) == (403, "rita is read-only: POST needs operator\n")
    assert door.reloads == 0
    assert door.ask("POST", "/api/reload", cookie=door.cookie("otto"), x_b2bua="1").responseCode == 200
    assert door.reloads == 1


def test_what_changes_something_needs_the_header_whoever_asks(door: Door) -> None:
    assert door.ask("DELETE", "/api/session", cookie=door.cookie("otto")).responseCode == 403
    assert door.ask("POST", "/api/reload", cookie=door.cookie("otto")).responseCode == 403 and door.reloads == 0
    assert door.ask("POST", "/api/session", document={"name": "rita", "password": PASSWORD}).responseCode == 403


def test_a_token_is_as_good_as_a_log_in_until_it_is_removed(door: Door) -> None:
    door.tokens(TokenRecord("prometheus", "read-only", token_hash("t-1")), TokenRecord("script", "operator", token_hash("t-2")))
    told = json.loads(door.ask("GET", "/api/session", authorization="Bearer t-2").text)
    assert told == {"name": "script", "role": "operator", "login": True}
    following = door.ask("GET", "/api/events", authorization="Bearer t-1")
    assert following.responseCode == 200 and not following.finished
    door.tokens(TokenRecord("script", "operator", token_hash("t-2")))
    assert following.cut
    assert door.ask("GET", "/api/openapi.json", authorization="Bearer t-1").responseCode == 401
    assert door.ask("GET", "/api/openapi.json", authorization="bearer t-2").responseCode == 200


@pytest.mark.parametrize("value", ["Bearer ", "Bearer nothing", "bearer T-1", "Bearer t-1 t-1"])
def test_what_is_no_token_is_401_whatever_the_cookie(door: Door, value: str) -> None:
    door.tokens(TokenRecord("prometheus", "read-only", token_hash("t-1")))
    assert door.ask("GET", "/api/openapi.json", authorization=value, cookie=door.cookie("rita")).responseCode == 401
    assert door.told == ["right", "bad_token"]


def test_a_token_of_nobody_counts_with_every_request_that_brings_it(door: Door) -> None:
    door.tokens(TokenRecord("prometheus", "read-only", token_hash("t-1")))
    for path in ("/api/openapi.json", "/api/nothing", "/api/session"):
        door.ask("GET", path, authorization="Bearer t-2")
    assert door.told == ["bad_token"] * 3
    for header in ({}, {"authorization": "Bearer t-1"}, {"authorization": "Basic cml0YTp4"}):
        door.ask("GET", "/api/openapi.json", **header)
    assert door.ask("POST", "/api/reload", authorization="Bearer t-1", x_b2bua="1").responseCode == 403
    assert door.told == ["bad_token"] * 3


def test_without_a_log_in_no_token_is_bad() -> None:
    door = Door()
    assert door.ask("GET", "/api/openapi.json", "127.0.0.1", authorization="Bearer t-1").responseCode in (200, 403)
    assert door.told == []


def test_what_is_meant_for_a_proxy_in_front_is_neither_token_nor_hindrance(door: Door) -> None:
    assert door.ask("GET", "/api/openapi.json", authorization="Basic cml0YTp4").responseCode == 401
    assert door.ask("GET", "/api/openapi.json", authorization="Basic cml0YTp4", cookie=door.cookie("rita")).responseCode == 200


def test_the_owner_of_the_server_has_a_token_of_his_own(door: Door) -> None:
    door.access.accounts.take_owner("of-the-owner")
    told = json.loads(door.ask("GET", "/api/session", authorization="Bearer of-the-owner").text)
    assert told == {"name": "owner", "role": "operator", "login": True}


def test_who_was_let_in_before_there_was_a_log_in_is_out() -> None:
    door = Door()
    request = FakeRequest("/api/events")
    request.render(door.site.getResourceFor(request))
    assert request.responseCode == 200 and not request.cut
    door.users(READER)
    assert request.cut


def test_a_changed_account_is_logged_out(door: Door) -> None:
    cookie = door.cookie("otto")
    door.users(READER, ConsoleUserRecord("otto", "read-only", HASH))
    assert door.ask("GET", "/api/openapi.json", cookie=cookie).responseCode == 401


@pytest.mark.parametrize("text", [
    "", "{}", '{"name":"rita","role":"root","hash":"x","version":1}', '{"name":"eve","role":"operator","hash":"x","version":1}',
])  # fmt: skip
def test_a_record_that_cannot_be_read_opens_nothing_and_keeps_the_door_shut(text: str) -> None:
    door = Door()
    door.access.accounts.take_users([("rita", text)])
    assert door.ask("GET", "/api/trace", "127.0.0.1").responseCode == 401
    assert door.log_in("rita").responseCode == 401


def test_secrets_are_for_operators_on_the_machine_itself(door: Door) -> None:
    def status(name: str, client: str, host: str) -> int:
        request = FakeRequest("/api/trace?secrets=1", client, host, cookie=door.cookie(name))
        request.render(door.site.getResourceFor(request))
        return int(request.responseCode)

    assert status("otto", "127.0.0.1", "127.0.0.1") == 200
    assert status("rita", "127.0.0.1", "127.0.0.1") == 403
    assert status("otto", ELSEWHERE, "pbx.example.com") == 403


def test_passwords() -> None:
    assert is_right(PASSWORD, HASH) and not is_right(PASSWORD + "x", HASH) and not is_right(PASSWORD, "no hash")
    assert not is_right("x\0y" * 5, HASH)
    for wrong in ("x" * (SHORTEST - 1), "x" * (LONGEST + 1), "\0" * SHORTEST):
        with pytest.raises(ValueError):
            hashed(wrong)
