"""The generated users: one password file for each peer and SIPp's injection files."""

from __future__ import annotations

from sip_bench.settings import CALLEE, CALLER, PASSWORD, Address, Bench


def caller(index: int) -> str:
    """User name of the caller ``index``."""
    return f"a{index:04d}"


def callee(index: int) -> str:
    """User name of the callee ``index``."""
    return f"b{index:04d}"


def write_users(bench: Bench) -> None:
    """Write users.csv (this server), kamailio_users.cfg, and calls.csv, reg_a.csv, reg_b.csv (SIPp) to the scratch."""
    callers = [caller(i) for i in range(bench.users)]
    callees = [callee(i) for i in range(bench.users)]
    everyone = callers + callees
    _write(bench, "users.csv", [f"{user},{PASSWORD}" for user in everyone])
    _write(bench, "kamailio_users.cfg", [f'$sht(u=>{user}) = "{PASSWORD}";' for user in everyone])
    # SIPp's fields: caller; credentials; callee
    pairs = [f"{a};{_credentials(a)};{b};" for a, b in zip(callers, callees, strict=True)]
    _write(bench, "calls.csv", ["SEQUENTIAL", *pairs])
    _write(bench, "reg_a.csv", ["SEQUENTIAL", *(_registration(user, CALLER) for user in callers)])
    _write(bench, "reg_b.csv", ["SEQUENTIAL", *(_registration(user, CALLEE) for user in callees)])


def _credentials(user: str) -> str:
    return f"[authentication username={user} password={PASSWORD}]"


def _registration(user: str, contact: Address) -> str:
    """SIPp's fields: user; credentials; nothing; contact."""
    return f"{user};{_credentials(user)};;{contact}"


def _write(bench: Bench, name: str, lines: list[str]) -> None:
    (bench.run_dir / name).write_text("\n".join(lines) + "\n", encoding="ascii")
