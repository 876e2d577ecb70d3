"""Authorization headers of somebody who knows no password: malformed, doubled, mixed, huge, and nearly right.

`headers()` draws a list of (name, template). `filled` makes the value of a template for one user: what is drawn stays the
same for every user, but for the name and the digest over it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from hypothesis import strategies as st

from b2bua.sip.digest import Credentials, expected_response, ha1
from b2bua.sip.digest_algorithms import HASHES, STRENGTH, plain
from tests.session_manager.digest_server import BOB, REALM

NAMES: Final = ("Authorization", "Proxy-Authorization")
HUGE: Final = 20_000
"""Characters of a long value; three of them still are one message."""
USER: Final = "\x01"
"""Stands for the user's name in raw text."""

_JUNK = st.text(
    st.characters(blacklist_characters="\r\n\0" + USER, blacklist_categories=["Cs"]), max_size=40
).map(lambda text: text.encode("utf-8").decode("utf-8", "surrogateescape"))
_UNDECODABLE = st.binary(max_size=20).map(
    lambda data: data.translate(None, b"\r\n\0\1").decode("utf-8", "surrogateescape")
)
_TEXT = st.one_of(_JUNK, _UNDECODABLE, st.sampled_from([
    "", '"', "\\", '\\"', ",", "=", " ", "\t", "<>", "()", "0" * 31, "g" * 32, "%00", "'", "é" * 16, "x" * HUGE, ',' * HUGE,
]))  # fmt: skip


@dataclass(frozen=True)
class Template:
    """A value of a header. Raw text, or parameters whose response is right for a wrong password."""

    raw: str | None = None
    scheme: str = "Digest"
    fields: tuple[tuple[str, str], ...] = ()
    """Parameters that stand there in place of the usual ones, or besides; a name twice stands there twice."""
    missing: frozenset[str] = frozenset()
    separator: str = ", "
    quoted: bool = True
    response: str | None = None
    """In place of one that is computed."""
    nonce: int = 0
    """Which of the nonces that are out it answers."""


def headers() -> st.SearchStrategy[list[tuple[str, Template]]]:
    return st.lists(st.tuples(st.sampled_from(NAMES), _templates()), min_size=1, max_size=5)


def _templates() -> st.SearchStrategy[Template]:
    name = st.sampled_from(["username", "realm", "nonce", "uri", "response", "algorithm", "qop", "nc", "cnonce", "opaque",
                            "userhash", "auth-param", "USERNAME", "Realm"])  # fmt: skip
    value = st.one_of(_TEXT, st.sampled_from([
        USER, REALM, BOB, "MD5", "md5", "MD5-sess", "SHA-256", "SHA-512-256-sess", "auth", "auth-int", "AUTH", "00000001",
        "ffffffff", "fffffffff", "-1", "c0ffee", "true", "sip:", "sip:[::", "sip:example.com:99999", "tel:1", "*",
    ]))  # fmt: skip
    raw = st.one_of(_TEXT, st.lists(st.sampled_from([
        "Digest ", "digest\t", "Basic ", "Bearer ", "username=", f'"{USER}"', "realm=", f'"{REALM}"', "nonce=", "uri=",
        f'"{BOB}"',
        "response=", "0" * 32, "algorithm=MD5", "qop=auth", "nc=00000001", 'cnonce="c"', ", ", ",", "=", '"', "\\", " ", "é",
    ]), max_size=25).map("".join))  # fmt: skip
    made = st.builds(
        Template, st.none(), st.sampled_from(["Digest", "digest", "DIGEST", "Basic", "Digest Digest", ""]),
        st.lists(st.tuples(name, value), max_size=3).map(tuple),
        st.frozensets(st.sampled_from(["username", "realm", "nonce", "uri", "response", "qop", "nc", "cnonce"]), max_size=2),
        st.sampled_from([", ", ",", " , ", ",,", " ", ";"]), st.booleans(),
        st.one_of(st.none(), st.none(), _TEXT, st.sampled_from(["0" * 32, "f" * 64])), st.integers(0, 3),
    )  # fmt: skip
    return st.one_of(st.builds(Template, raw), made, made.map(lambda one: replace(one, scheme="Digest", missing=frozenset())))


def filled(template: Template, user: str, method: str, nonces: list[str], uri: str = BOB) -> str:
    """The value of a header. Nobody who sends it knows a password: digests are made with a wrong one."""
    if template.raw is not None:
        return template.raw.replace(USER, user)
    nonce = nonces[template.nonce % len(nonces)] if nonces else "none"
    parameters = [("username", user), ("realm", REALM), ("nonce", nonce), ("uri", uri), ("algorithm", "MD5"),
                  ("qop", "auth"), ("nc", "00000001"), ("cnonce", "c0ffee")]  # fmt: skip
    drawn = [(name, value.replace(USER, user)) for name, value in template.fields]
    kept = [(name, dict(drawn).get(name, value)) for name, value in parameters if name not in template.missing]
    names = [name for name, _ in drawn]
    extra = [(name, value) for name, value in drawn if name not in dict(kept) or names.count(name) > 1]
    found = dict(parameters) | dict(kept)
    response = template.response if template.response is not None else _wrong(user, method, found)
    if "response" not in template.missing:
        kept.append(("response", response))
    quote = '"' if template.quoted else ""
    return f"{template.scheme} " + template.separator.join(f"{name}={quote}{value}{quote}" for name, value in kept + extra)


def _wrong(user: str, method: str, found: dict[str, str]) -> str:
    """What somebody sends who has the password wrong."""
    named = found["algorithm"].upper().removesuffix("-SESS")
    algorithm = named if named in STRENGTH else "MD5"
    parts = Credentials(
        found["username"], found["realm"], found["nonce"], found["uri"], "", found["algorithm"], found["qop"], found["nc"],
        found["cnonce"], "",
    )  # fmt: skip
    return expected_response(ha1(user, REALM, "a wrong one", plain(algorithm)), method, parts, HASHES[algorithm])
