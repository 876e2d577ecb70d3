"""The reference of the settings, made from the code; config/README.md has the same table, and a test compares the two."""

from __future__ import annotations

import ast
import inspect
import json
import re
import textwrap
from collections.abc import Collection, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final, Literal, get_args, get_origin

import msgspec

from b2bua.config.addresses import KNOWN_TRANSPORTS, host_port_text
from b2bua.config.events import KNOWN_PACKAGES
from b2bua.config.settings import FIELDS, Settings
from b2bua.config.sources import ENVIRONMENT_PREFIX
from b2bua.log.events import ALL, AREAS, LEVELS
from b2bua.sip.digest_algorithms import STRENGTH
from b2bua.sip.profiles import SWITCHES
from b2bua.store.opening import without_password

AT_RUN_TIME: Final = frozenset(
    (
        "users", "features", "feature_directory", "feature_codes", "user_defaults",
        "challenge", "user_challenge", "challenge_reinvite", "strict_digest_uri",
        "digest_algorithms", "user_digest_algorithms", "digest_qop", "digest_session_keys", "digest_userhash",
        "profiles", "user_profiles",
        "registration_expires_min", "registration_expires_max",
        "registration_expires_default", "watchers", "lists",
        "tls_cert", "tls_key", "tls_ca",
        "dial_patterns", "routing_policies", "origination", "termination", "user_sequences", "application_passes",
        "optional_applications", "application_timeout", "log_format", "log_levels",
        "cdr",
    )
)  # fmt: skip
"""Keys whose new value is followed on SIGHUP; the others need a restart."""

COLUMNS: Final = ("TOML key", "Environment", "Option", "Default", "Range", "SIGHUP", "Meaning")



def _list_of(words: Iterable[str]) -> str:
    return ", ".join(f"`{word}`" for word in words)


_ALGORITHMS: Final = ", ".join(f"`{name}`" for name in reversed(STRENGTH))

_RANGES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "domain": "a host name",
        "aliases": "host names, IP addresses",
        "listen": f"one or more; transports: {', '.join(f'`{name}`' for name in KNOWN_TRANSPORTS)}",
        "http": "`HOST:PORT`, HOST an IP address or `localhost`",
        "hep": "`udp:HOST:PORT`, `tcp:HOST:PORT`, HOST an IP address",
        "trace_keep": "`\"\"`, seconds, or such as `30m`, `24h`, `7d`",
        "trace_file": "a file",
        "trace_servers": "`NAME=URL [FILE]`",
        "users": "a file",
        "tls_cert": "a file",
        "tls_key": "a file",
        "tls_ca": "a file",
        "store": "`memory:`, `sqlite:PATH`",
        "digest_algorithms": f"one or more of {_ALGORITHMS}",
        "user_digest_algorithms": "user = list as above",
        "profiles": f"some of {', '.join(f'`{name}`' for name in SWITCHES)}",
        "user_profiles": "user = list as above",
        "digest_qop": "one or both of `auth`, `auth-int`",
        "feature_server": "`none`, a module of yours, a package in `plugins`",
        "entities": "name = table of `address`, `transport`, `from`, `certificate`, `user`, `trusted`, `numbers`, `domains`, "
        "`adaptation`, `username`, `password_file`, `password_env`, `realm`, "
        "`watch`",
        "dial_patterns": "name = table of `pattern`, `min`, `max`, `callers`, `policies`",
        "routing_policies": "name = table of `entity`, `rank`, `times`, `timeout`, `next_on`",
        "adaptations": "name = table of `called_out`, `called_in`, `asserted_out`, `asserted_in`, `headers_out`, `headers_in`",
        "trusted_networks": "`ADDRESS/BITS`, IPv4 or IPv6",
        "dns": "`HOST[:PORT]`, HOST an IP address",
        "rtpengine": "`\"\"`, `HOST:PORT`, HOST an IP address",
        "media_ports": "two of 1024 to 65535, or `0-0`",
        "media_address": "`\"\"`, an IP address, a host name",
        "links": "`NAME=TRANSPORT:HOST:PORT=HOST:PORT`; `udp` and `tcp` loopback or private, `tls` any, or a name; "
        "`>` for the second `=`: a server of another make",
        "origination": "names of links; the one in this process is `cm`",
        "termination": "names of links",
        "user_sequences": "user = table of `origination`, `termination`",
        "optional_applications": "names of links",
        "session_manager": "`HOST:PORT`, loopback or private unless by TLS",
        "name": "letters, digits, - and _",
        "features": "module names",
        "cdr": "a file",
        "log_levels": f"area = {_list_of(LEVELS)}; areas: {_list_of((*AREAS, ALL))}",
        "faults": "`ACTION [KEY=VALUE…]`",
        "feature_directory": "a directory",
        "event_packages": _list_of(KNOWN_PACKAGES),
        "feature_codes": "name = `*` or `#` and 1 to 15 of `0`-`9`, `*`, `#`",
        "user_defaults": "name = text",
        "lists": "name = list of users, 64 at most",
        "challenge": "method = `401`, `407` or `none`",
        "user_challenge": "user = table as above",
    }
)
"""What a setting may be where its type does not say it."""


def table(options: Collection[str]) -> str:
    """The reference in Markdown; `options` are those of `b2bua run`, `--domain` and so on."""
    rows = [COLUMNS, tuple("---" for _ in COLUMNS)]
    for key, meaning in meanings():
        option = "--" + key.replace("_", "-")
        default = getattr(Settings(), key)
        rows.append(
            (
                f"`{key}`",
                f"`{ENVIRONMENT_PREFIX}{key.upper()}`",
                f"`{option}`" if option in options else "–",
                "not set" if default is None else f"`{written(key, default)}`",
                range_of(key),
                "followed" if key in AT_RUN_TIME else "restart",
                meaning,
            )
        )
    return "".join(f"| {' | '.join(row)} |\n" for row in rows).replace("| --- ", "|---").replace("|--- |", "|---|")


def meanings() -> Iterator[tuple[str, str]]:
    """(key, its docstring) of every setting, in the order of the settings."""
    [definition] = ast.parse(textwrap.dedent(inspect.getsource(Settings))).body
    assert isinstance(definition, ast.ClassDef)
    for field, text in zip(definition.body, definition.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            assert isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant), field.target.id
            yield field.target.id, " ".join(str(text.value.value).split())


def range_of(key: str) -> str:
    """What values a setting takes."""
    kind = FIELDS[key]
    if key in _RANGES:
        return _RANGES[key]
    if kind is bool:
        return "`true`, `false`"
    if get_origin(kind) is Literal:
        return ", ".join(f"`{value}`" for value in get_args(kind))
    for one in get_args(kind):
        if isinstance(one, msgspec.Meta):
            return _bounds(one)
    raise KeyError(f"{key} has no range: neither a bound of its type nor an entry in _RANGES")


def _bounds(meta: msgspec.Meta) -> str:
    if meta.gt is not None:
        return f"above {meta.gt:g}" + ("" if meta.le is None else f", at most {meta.le:g}")
    return f"{meta.ge} or more" if meta.le is None else f"{meta.ge} to {meta.le}"


def written(key: str, value: object) -> str:
    """The value of a setting as TOML; credentials in the URL of a store are left out."""
    if key == "http" and isinstance(value, tuple):
        return json.dumps(host_port_text(*value))
    return _toml(without_password(value) if key == "store" and isinstance(value, str) else value)


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, tuple):
        return f"[{', '.join(_toml(one) for one in value)}]"
    if isinstance(value, dict):
        pairs = ", ".join(f"{_key(name)} = {_toml(one)}" for name, one in value.items())
        return f"{{ {pairs} }}" if pairs else "{}"
    return json.dumps(str(value), ensure_ascii=False)


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else json.dumps(name, ensure_ascii=False)
