"""The matrix of challenges over real sockets: SIPp and PJSIP each get every row of it, one status a user.

Not found by `make test`: `make interop` runs it. What each cell means is shown by tests/scenarios/test_challenge_matrix.py.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from tests.interop.lab import Lab
from tests.interop.pjsip import Pjsip
from tests.interop.script import Callee, Caller
from tests.interop.server import Hop, Server, command, environment, wait_until
from tests.interop.sipp import Phone

HOST: Final = "127.0.0.171"
STATUS: Final = {"401": 401, "407": 407, "none": 0}
METHODS: Final = (
    "SUBSCRIBE", "INVITE", "re-INVITE", "PUBLISH", "OPTIONS", "MESSAGE", "REFER", "UPDATE", "PRACK", "BYE", "INFO"
)  # fmt: skip
"""All that can be challenged, but REGISTER, which always is."""


def all_rows(status: str) -> dict[str, str]:
    return dict.fromkeys(METHODS, status) | ({} if status == "none" else {"REGISTER": status})


ACTS: Final[dict[str, Callable[[Pjsip, str], object]]] = {
    "re-INVITE": lambda phone, _far: phone.command("hold"),
    "UPDATE": lambda phone, _far: phone.command("refresh"),
    "INFO": lambda phone, _far: phone.command("ask", method="INFO"),
    "MESSAGE": lambda phone, _far: phone.command("ask", method="MESSAGE"),
    "OPTIONS": lambda phone, _far: phone.command("ask", method="OPTIONS"),
    "REFER": lambda phone, far: phone.command("transfer", uri=f"sip:{far}@example.com"),
    "BYE": lambda phone, _far: phone.command("hangup"),
}
"""What a PJSIP phone does in a call."""
EVERYTHING: Final = {f"61{number:02}": all_rows(status) for number, status in enumerate(STATUS)}
"""Users for whom one status stands in all rows."""
CELLS: Final = list(zip(EVERYTHING, STATUS, strict=True))
_ROWS: Final = [(method, status) for method in (*ACTS, "INVITE", "PRACK") for status in ("401", "407")]
ONE_ROW: Final = {f"62{number:02}": {method: status} for number, (method, status) in enumerate(_ROWS)}
"""Users with one row, the rest as ever."""
PLAIN: Final = [str(number) for number in range(6001, 6060)]
USERS: Final = {user: f"secret-{user}-word" for user in (*PLAIN, *EVERYTHING, *ONE_ROW)}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    directory = tmp_path_factory.mktemp("server")
    tables = "".join(f"{user} = {{ {_inline(rows)} }}\n" for user, rows in (EVERYTHING | ONE_ROW).items())
    (directory / "lab.toml").write_text(f"[user_challenge]\n{tables}")
    started = Server(directory, HOST, USERS, options=("--config", "lab.toml"), more=(f"tcp:{HOST}",))
    try:
        yield started
        started.check_healthy()
        assert started.stop() == 0
    finally:
        started.kill()


def _inline(rows: dict[str, str]) -> str:
    return ", ".join(f"{method} = {json.dumps(status)}" for method, status in rows.items())


@pytest.fixture
def lab(server: Server, tmp_path: Path) -> Iterator[Lab]:
    made = Lab(server, tmp_path)
    try:
        yield made
    except BaseException:
        print(made.story())
        raise
    finally:
        made.close()


# ---- SIPp: a phone that does it right, whatever is asked of it


def registered(lab: Lab, user: str, status: str, transport: str) -> Phone:
    phone = lab.phone(user, transport)
    lab.start(Caller().register(challenge=STATUS[status] or 401), phone).finish()
    return phone


@pytest.mark.parametrize("transport", ["udp", "tcp"])
@pytest.mark.parametrize(("user", "status"), CELLS)
def test_every_row_in_a_call(lab: Lab, user: str, status: str, transport: str) -> None:
    """One call with all that a phone can send in it."""
    challenge = STATUS[status]
    caller, [callee] = registered(lab, user, status, transport), lab.phones(1, transport)
    near = Caller(callee.user).dial(challenge=challenge)
    near.reinvite("sendonly", challenge=challenge).ask("UPDATE", challenge, 200).ask("OPTIONS", challenge, 200)
    near.ask("INFO", challenge, 200).ask("MESSAGE", challenge, 200).ask("PRACK", challenge, 481, "RAck: 1 1 INVITE")
    near.reinvite("sendrecv", challenge=challenge).bye(challenge=challenge)
    far = Callee().ring().accept().reinvited("sendonly", "recvonly").asked("INFO").asked("MESSAGE")
    far.reinvited("sendrecv", "sendrecv").byed()
    run, _ = lab.call(caller, near, callee, far)
    assert {answer.get("CSeq").split()[1] for answer in run.received(status=challenge)} == (
        {"INVITE", "UPDATE", "OPTIONS", "INFO", "MESSAGE", "PRACK", "BYE"} if challenge else set()
    )


@pytest.mark.parametrize("transport", ["udp", "tcp"])
@pytest.mark.parametrize(("user", "status"), CELLS)
@pytest.mark.parametrize(
    ("method", "answer", "headers"),
    [
        ("OPTIONS", 480, ()), ("MESSAGE", 480, ()), ("REFER", 480, ("Refer-To: <sip:6003@example.com>",)),
        ("UPDATE", 480, ()), ("PRACK", 480, ("RAck: 1 1 INVITE",)), ("BYE", 480, ()), ("INFO", 480, ()),
    ],
)  # fmt: skip
def test_every_row_out_of_a_call(
    lab: Lab, user: str, status: str, method: str, answer: int, headers: tuple[str, ...], transport: str
) -> None:
    """To a user without a phone."""
    script = Caller(PLAIN[-1]).ask(method, STATUS[status], answer, *headers)
    lab.start(script, lab.phone(user, transport)).finish()


@pytest.mark.parametrize(("user", "status"), CELLS)
def test_watching_a_lamp(lab: Lab, user: str, status: str) -> None:
    run = lab.start(Caller(PLAIN[-1]).subscribe(challenge=STATUS[status]).answer_notifies(), lab.phone(user))
    wait_until("first NOTIFY", lambda: bool(run.received("NOTIFY")))


@pytest.mark.parametrize(("user", "status"), CELLS)
def test_publishing(lab: Lab, user: str, status: str) -> None:
    """Its own state; without a body it is no initial publication."""
    lab.start(Caller().ask("PUBLISH", STATUS[status], 400, "Event: dialog"), lab.phone(user)).finish()


# ---- PJSIP: what a phone does with a challenge that it may not know


@contextmanager
def pair(server: Server, folder: Path, user: str, reliable: str = "none") -> Iterator[tuple[Pjsip, Pjsip]]:
    """This user's phone and one to call."""
    phones: list[Pjsip] = []
    try:
        for number, name in enumerate((user, server.next_user())):
            kind = ("optional", "mandatory")[number] if reliable != "none" else "none"
            phones.append(Pjsip(folder / name, server.address, name, USERS[name], HOST, reliable=kind))
            phones[-1].registered()
        yield phones[0], phones[1]
        phones[0].clear()
    except BaseException:
        print("\n".join(phone.said() for phone in phones))
        raise
    finally:
        for phone in phones:
            phone.close()


def rounds(server: Server, user: str, method: str) -> list[tuple[Hop, Hop]]:
    """(request, its final answer) of this user's phone, by method; `re-INVITE` is the INVITE with a To tag."""
    hops = [hop for hop in server.hops(f"user={user}") if not hop.retransmission]
    answers = {
        (hop.message.branch, hop.message.get("CSeq")): hop
        for hop in hops
        if hop.way == ("SM", user) and hop.message.status >= 200
    }
    name = "INVITE" if method == "re-INVITE" else method
    asked = [
        hop for hop in hops
        if hop.way == (user, "SM") and hop.message.method == name
        and (method not in ("INVITE", "re-INVITE") or ("tag=" in hop.message.get("To")) == (method == "re-INVITE"))
    ]  # fmt: skip
    return [
        (hop, answers[key]) for hop in asked if (key := (hop.message.branch, hop.message.get("CSeq"))) in answers
    ]


def answered_challenge(server: Server, user: str, method: str, status: str) -> None:
    """The first was challenged, the second came with credentials, CSeq + 1 and another branch, and passed."""
    wait_until(f"{method} with credentials", lambda: len(rounds(server, user, method)) >= 2)
    (first, challenge), (second, answer) = rounds(server, user, method)[:2]
    assert str(challenge.message.status) == status
    header = "Authorization" if status == "401" else "Proxy-Authorization"
    assert second.message.get(header) and not first.message.get(header)
    assert int(second.message.get("CSeq").split()[0]) > int(first.message.get("CSeq").split()[0])
    assert second.message.branch != first.message.branch
    assert answer.message.status not in (401, 407)


@pytest.mark.parametrize(("user", "method", "status"), [
    (user, method, status) for user, row in ONE_ROW.items() for method, status in row.items() if method in ACTS
])  # fmt: skip
def test_pjsip_in_a_call(server: Server, tmp_path: Path, user: str, method: str, status: str) -> None:
    """SIP.js 774 is re-INVITE, drachtio-server 190 is BYE."""
    with pair(server, tmp_path, user) as (near, far):
        near.dial(far.user)
        far.state("early")
        far.command("answer")
        near.state("confirmed")
        far.state("confirmed")
        ACTS[method](near, far.user)
        answered_challenge(server, user, method, status)
        if method == "BYE":
            far.state("disconnected")


@pytest.mark.parametrize(("user", "status"), [
    (user, row["INVITE"]) for user, row in ONE_ROW.items() if "INVITE" in row
])  # fmt: skip
def test_pjsip_calls(server: Server, tmp_path: Path, user: str, status: str) -> None:
    with pair(server, tmp_path, user) as (near, far):
        near.dial(far.user)
        far.state("early")
        far.command("answer")
        near.state("confirmed")
        answered_challenge(server, user, "INVITE", status)


@pytest.mark.parametrize(("user", "status"), [
    (user, row["PRACK"]) for user, row in ONE_ROW.items() if "PRACK" in row
])  # fmt: skip
def test_pjsip_acknowledges_a_reliable_180(server: Server, tmp_path: Path, user: str, status: str) -> None:
    with pair(server, tmp_path, user, reliable="yes") as (near, far):
        near.dial(far.user)
        far.state("early")
        answered_challenge(server, user, "PRACK", status)
        far.command("answer")
        near.state("confirmed")


# ---- the command


@pytest.mark.parametrize(("user", "status"), CELLS)
def test_the_command_says_what_was_run(server: Server, user: str, status: str) -> None:
    argv = command("challenges", "--config", "lab.toml", "--user", user)
    done = subprocess.run(argv, cwd=server.directory, env=environment(), capture_output=True, text=True, timeout=30, check=True)
    lines = {line.split()[0]: line.split()[1:] for line in done.stdout.splitlines()[1:-1]}
    for method in METHODS:
        assert set(lines[method]) - {"–"} == {status}
