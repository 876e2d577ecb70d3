"""The rules of the house that a machine can check: imports go down only, the core touches no edge, the top stays tidy.

Each check takes a root directory and gives one line per violation, so it is run on the repository and on small trees
that break it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

CORE = {"sip", "transaction", "dialog"}
RECORDS = {
    "store.interface", "store.records", "store.record_text", "store.call_record", "store.invite_record",
    "store.call_detail", "store.call_detail_line", "store.subscription_record", "store.publication_record",
    "store.mailbox_record", "store.setting_record", "store.console_user_record", "store.token_record",
}  # fmt: skip
"""What the core may know of the store: the Protocol and the records, pure values both."""

ALLOWED: dict[str, set[str]] = {
    "sip": {"sip"},
    "transaction": {"sip", "transaction"},
    "dialog": CORE,
    "session_manager": CORE | RECORDS | {"session_manager"},
    "feature_server": CORE | RECORDS | {"feature_server"},
    "phone": CORE | {"phone"},
    "transport": {"sip", "transport"},
    "media": {"sip", "media"},
    "trace": {"sip", "trace"},
    "store": {"sip", "store"},
    "cdr": {"cdr"},
    "log": {"sip.uri", "trace.redact", "log"},
    "http": {"sip", "trace", "http", "faults", "log"} | RECORDS,
    "faults": {"sip", "transaction", "trace", "faults", "feature_server.strike", "feature_server.feature_faults"},
    "reference": {"sip", "config", "config.addresses", "config.events", "store.opening"},
    "reload": {"config", "reference", "feature_server.loader", "store.interface"},
    "drain": {"session_manager.admission"},
    "doctor": {"config", "config.addresses", "preflight", "store", "transport.address", "transport.udp"},
    "preflight": {"sip", "config", "config.entities", "faults.fault", "feature_server", "store", "transport.tls"},
    "observer": set(),
    "pauses": set(),
    "": set(),
    "native_stack": set(),
    "watchdog": {"feature_server.blame", "native_stack"},
    "process": {"config", "config.addresses", "feature_server.loader", "feature_server.feature", "log", "pauses", "watchdog"},
    "plugins": {"feature_server", "sip", "plugins"},
    "config": {
        "config", "faults.fault", "session_manager.header_rule", "session_manager.number_pattern",
        "session_manager.number_rule", "session_manager.time_range", "sip", "trace.since",
    },
    "commands": {
        "assembly.dial_plan", "assembly.sequences", "commands", "config", "doctor", "faults.fault", "feature_server",
        "http.passwords", "http.routes", "log", "phone.trial", "preflight", "reference", "session_manager", "sip",
        "store", "trace.since", "transport.address",
    },
    "assembly": {
        "assembly", "cdr", "config", "dialog", "drain", "faults", "feature_server", "http", "log", "media.rtpengine", "reference",
        "reload", "session_manager", "sip", "store", "trace", "transaction", "transport",
    } | RECORDS,
}
"""Room (or file at the top of b2bua) → what it may import: a room, or one module of it. The composition roots may import
all but the command line and plugins, which they load by name; `cli` and `__main__` all."""

ROOTS = {"service", "feature_service"}

LEAF = {"observer", "log.events", ""}
"""The observer, the list of what is logged and the package itself (version, product token): imported by everyone, importing
nothing of ours."""

EDGE_FILES = {"phone/trial.py", "phone/demo.py", "phone/demo_report.py", "phone/demo_server.py", "phone/endpoint.py"}
"""Files in a core room that run things: they may import any room and touch the edges."""

CLOCKLESS = CORE | {"session_manager", "feature_server", "phone", "trace", "plugins", "observer", "pauses", "faults"}
CLOCKLESS_MODULES = {"store.interface", "store.records"}
EDGE_IMPORTS = {
    "twisted", "asyncio", "socket", "socketserver", "ssl", "select", "selectors", "threading", "queue", "subprocess",
    "multiprocessing", "http", "urllib.request", "sqlite3", "time", "random", "secrets", "uuid",
}  # fmt: skip
EDGE_CALLS = {("datetime", "now"), ("datetime", "utcnow"), ("datetime", "today"), ("date", "today"), ("os", "urandom")}
EDGE_EXCEPTIONS = {
    "trace/feed.py": {"http", "socket", "threading", "time"}, "trace/http_client.py": {"http", "time"},
    "trace/servers.py": {"time"}, "trace/client.py": {"time"}, "trace/reader_left.py": {"select", "threading"},
}  # fmt: skip
"""`b2bua trace` fetches its records over HTTP in a process of its own, waits for a server that was restarted, and for several."""

TOP_LEVEL = {
    "pyproject.toml", "setup.py", "b2bua", "plugins", "deploy", "tests", "docker-compose.yml", "README.md", "Makefile", "LICENSE",
    "CHANGELOG.md",
}  # fmt: skip
GENERATED = {"var", "build", "dist", "__pycache__"}
VAGUE = {"utils", "util", "helpers", "helper", "manager", "base", "common", "misc"}
LONGEST_FUNCTION = 60
LONGEST_FILE = 400
KNOT = {"transaction": 3, "session_manager": 4, "feature_server": 32, "phone": 2, "transport": 2}
"""Room → how many of its modules know each other in a circle, imports for types alone among them. In `feature_server` it is a
call, its legs, what is under way in it and what features see of it, which are one thing in many files. Fewer are always welcome:
then the number goes down with them."""


# ---- reading


def sources(root: Path) -> Iterator[tuple[Path, str, str]]:
    """(path, room, place) of each source; place is the path within b2bua, or the whole one for plugins."""
    for path in sorted((root / "b2bua").rglob("*.py")):
        place = path.relative_to(root / "b2bua").as_posix()
        room = place.split("/")[0] if "/" in place else place.removesuffix(".py").replace("__init__", "")
        yield path, room, place
    for path in sorted((root / "plugins").rglob("*.py")):
        yield path, "plugins", path.relative_to(root).as_posix()


def imports(path: Path, root: Path) -> Iterator[tuple[int, str]]:
    """(line, dotted name) of every import at any depth; `from a import b` gives `a.b`, relative ones are resolved."""
    package = list(path.relative_to(root).with_suffix("").parts)[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            origin = ".".join(above + ([node.module] if node.module else []))
            for alias in node.names:
                yield node.lineno, f"{origin}.{alias.name}"
        elif isinstance(node, ast.Call) and _called(node)[1] in ("import_module", "__import__"):
            first = node.args[0] if node.args else None
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                yield node.lineno, first.value


def _called(node: ast.Call) -> tuple[str, str]:
    """("datetime", "now") of `datetime.now()` and `datetime.datetime.now()`; ("", "open") of `open()`."""
    function = node.func
    if isinstance(function, ast.Name):
        return "", function.id
    if isinstance(function, ast.Attribute):
        owner = function.value
        name = owner.id if isinstance(owner, ast.Name) else owner.attr if isinstance(owner, ast.Attribute) else ""
        return name, function.attr
    return "", ""


def _within(name: str, allowed: set[str]) -> bool:
    return any(name == one or name.startswith(one + ".") for one in allowed)


# ---- the checks


def upward_imports(root: Path) -> list[str]:
    found = []
    for path, room, place in sources(root):
        if room in ("cli", "__main__") or place in EDGE_FILES:
            continue
        for line, name in imports(path, root):
            target = _target(name, root)
            if target is None or (_within(target, LEAF) and room not in LEAF) or target == room == "":
                continue
            if room in ROOTS:
                wrong = _within(target, {"cli", "commands", "__main__", "plugins"})
            else:
                wrong = room not in ALLOWED or not _within(target, ALLOWED[room])
            if wrong:
                found.append(f"{place}:{line}: {room or 'b2bua/__init__'} may not import {name}")
    return found


def _target(name: str, root: Path) -> str | None:
    """What of ours a dotted name reaches, without `b2bua.`; "" for the package itself, None for foreign modules."""
    first, _, rest = name.partition(".")
    if first == "plugins":
        return name
    if first != "b2bua":
        return None
    room = rest.split(".")[0]
    inside = (root / "b2bua" / room).is_dir() or (root / "b2bua" / f"{room}.py").is_file()
    return rest if room and (inside or "." in rest) else ""


def circles(root: Path) -> list[list[str]]:
    """Modules that can be reached from each other by imports, at any depth and under TYPE_CHECKING, too."""
    modules = {".".join(path.relative_to(root).with_suffix("").parts): path for path, _room, _place in sources(root)}
    known = {
        module: {
            name if name in modules else name.rpartition(".")[0] for _line, name in imports(path, root)
        } & modules.keys() - {module}
        for module, path in modules.items()
    }  # fmt: skip
    reached: dict[str, set[str]] = {}
    for module in modules:
        seen, open_ends = set(known[module]), list(known[module])
        while open_ends:
            further = known[open_ends.pop()] - seen
            seen |= further
            open_ends += further
        reached[module] = seen
    found = {frozenset(other for other in seen if module in reached[other]) for module, seen in reached.items() if module in seen}
    return sorted(sorted(circle) for circle in found)


def edges_below(root: Path) -> list[str]:
    """Reactor, socket, thread, wall clock or randomness where they must be handed in."""
    found = []
    for path, room, place in sources(root):
        module = place.removesuffix(".py").replace("/", ".")
        if (room not in CLOCKLESS and module not in CLOCKLESS_MODULES) or place in EDGE_FILES:
            continue
        forbidden = EDGE_IMPORTS - EDGE_EXCEPTIONS.get(place, set())
        found += [f"{place}:{n}: {name} below the edges" for n, name in imports(path, root) if _within(name, forbidden)]
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and _called(node) in EDGE_CALLS:
                found.append(f"{place}:{node.lineno}: {'.'.join(_called(node))}() below the edges")
    return found


def twisted_elsewhere(root: Path) -> list[str]:
    """Twisted lives in service.py, process.py, transport/, http/, store/ and media/, and in the phone's two edge files."""
    homes = {"service", "process", "transport", "http", "store", "media", "log"}
    return [
        f"{place}:{line}: {name} outside its homes"
        for path, room, place in sources(root)
        if room not in homes and place not in EDGE_FILES
        for line, name in imports(path, root)
        if _within(name, {"twisted"})
    ]


def prometheus_elsewhere(root: Path) -> list[str]:
    return [
        f"{place}:{line}: only http/metrics.py imports prometheus_client"
        for path, _room, place in sources(root)
        if place != "http/metrics.py"
        for line, name in imports(path, root)
        if _within(name, {"prometheus_client"})
    ]


def long_functions(root: Path) -> list[str]:
    found = []
    for path, _room, place in sources(root):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                if length > LONGEST_FUNCTION:
                    found.append(f"{place}:{node.lineno}: {node.name} has {length} lines, {LONGEST_FUNCTION} at most")
    return found


def long_files(root: Path) -> list[str]:
    """One header, machine, verb or feature a file: a longer one holds a second."""
    lengths = {place: len(path.read_text(encoding="utf-8").splitlines()) for path, _room, place in sources(root)}
    return [f"{place}: {length} lines, {LONGEST_FILE} at most" for place, length in lengths.items() if length > LONGEST_FILE]


def vague_names(root: Path) -> list[str]:
    return [f"{place}: a name that says nothing" for path, _room, place in sources(root) if path.stem in VAGUE]


def untidy_top(root: Path) -> list[str]:
    names = sorted(path.name for path in root.iterdir())
    return [
        f"{name}: not at the top of the repository"
        for name in names
        if not (name in TOP_LEVEL or name in GENERATED or name.startswith(".") or name.endswith(".egg-info"))
    ]


CHECKS = [
    upward_imports, edges_below, twisted_elsewhere, prometheus_elsewhere, long_functions, long_files, vague_names, untidy_top,
]  # fmt: skip


# ---- on the repository


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_the_repository_keeps_the_rule(check):
    found = check(ROOT)
    assert not found, "\n" + "\n".join(found)


def test_no_circle_of_imports_grows():
    found: dict[str, int] = {}
    for circle in circles(ROOT):
        rooms = {module.removeprefix("b2bua.").split(".")[0] for module in circle}
        assert len(rooms) == 1, circle
        room = rooms.pop()
        found[room] = found.get(room, 0) + len(circle)
    assert found == KNOT, circles(ROOT)


def test_the_walk_sees_the_sources():
    places = {place for _path, _room, place in sources(ROOT)}
    assert {"cli.py", "sip/message.py", "store/sqlite.py"} <= places


# ---- on trees that break the rules


def tree(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


ROOMS = {"b2bua/__init__.py": "", "b2bua/observer.py": "", "b2bua/sip/__init__.py": "", "b2bua/dialog/__init__.py": ""}


@pytest.mark.parametrize(
    ("place", "text"),
    [
        ("b2bua/sip/uri.py", "from b2bua.dialog import leg"),
        ("b2bua/sip/uri.py", "from b2bua import dialog"),
        ("b2bua/sip/uri.py", "from ..dialog import leg"),
        ("b2bua/sip/uri.py", "from .. import dialog"),
        ("b2bua/sip/uri.py", "def f():\n    import b2bua.dialog.leg"),
        ("b2bua/sip/uri.py", "import importlib\nimportlib.import_module('b2bua.dialog')"),
        ("b2bua/transport/udp.py", "from b2bua.transaction.layer import Layer"),
        ("b2bua/transaction/layer.py", "from b2bua.dialog.leg import Leg"),
        ("b2bua/session_manager/chain.py", "from b2bua.feature_server import call"),
        ("b2bua/session_manager/chain.py", "from b2bua.store.sqlite import SqliteStore"),
        ("b2bua/session_manager/chain.py", "from b2bua.config.settings import Settings"),
        ("b2bua/feature_server/call.py", "import b2bua.session_manager.chain"),
        ("b2bua/http/site.py", "from b2bua.session_manager import chain"),
        ("b2bua/store/sqlite.py", "from b2bua.session_manager import chain"),
        ("b2bua/service.py", "from b2bua.cli import main"),
        ("b2bua/observer.py", "from b2bua.sip import uri"),
        ("b2bua/__init__.py", "from b2bua.sip.uri import Uri"),
        ("b2bua/novelty/new.py", "from b2bua.sip import uri"),
        ("plugins/communication_manager/hold.py", "from b2bua.session_manager import chain"),
        ("plugins/communication_manager/hold.py", "from b2bua.dialog import leg"),
        ("b2bua/feature_server/loader.py", "import plugins.communication_manager"),
    ],
)
def test_an_import_upwards_is_found(tmp_path, place, text):
    found = upward_imports(tree(tmp_path, ROOMS | {place: text}))
    assert len(found) == 1
    assert place.removeprefix("b2bua/") in found[0]


@pytest.mark.parametrize(
    ("place", "text"),
    [
        ("b2bua/dialog/leg.py", "from b2bua.sip import uri\nfrom b2bua.transaction.layer import L\nfrom . import x"),
        ("b2bua/dialog/leg.py", "from b2bua import PRODUCT\nfrom b2bua import observer\nfrom b2bua.observer import O"),
        ("b2bua/session_manager/chain.py", "from b2bua.store.interface import Store\nfrom b2bua.store import records"),
        ("b2bua/service.py", "import b2bua.session_manager.chain, b2bua.feature_server.call, b2bua.config.settings"),
        ("b2bua/cli.py", "import b2bua.service\nimport b2bua.trace.client"),
        ("b2bua/phone/demo.py", "from b2bua.service import build\nfrom twisted.internet import reactor"),
        ("b2bua/sip/uri.py", "import re\nfrom b2bua_extras import thing"),
        ("plugins/communication_manager/hold.py", "from b2bua.feature_server.call import Call\nfrom . import lamps"),
    ],
)
def test_an_import_downwards_passes(tmp_path, place, text):
    root = tree(tmp_path, ROOMS | {place: text})
    assert upward_imports(root) + twisted_elsewhere(root) + edges_below(root) == []


@pytest.mark.parametrize(
    ("place", "text"),
    [
        ("b2bua/sip/uri.py", "import time"),
        ("b2bua/transaction/layer.py", "from twisted.internet import reactor"),
        ("b2bua/dialog/leg.py", "import random"),
        ("b2bua/session_manager/nonce.py", "from secrets import token_hex"),
        ("b2bua/feature_server/call.py", "def f():\n    import socket"),
        ("b2bua/trace/recorder.py", "from time import time"),
        ("b2bua/trace/client.py", "import socket"),
        ("b2bua/trace/feed.py", "import subprocess"),
        ("b2bua/phone/answer.py", "from twisted.internet.defer import Deferred"),
        ("b2bua/store/records.py", "import time"),
        ("b2bua/dialog/leg.py", "import datetime\ndatetime.datetime.now()"),
        ("b2bua/dialog/leg.py", "import os\nos.urandom(8)"),
        ("plugins/communication_manager/hold.py", "import asyncio.queues"),
    ],
)
def test_an_edge_below_the_edges_is_found(tmp_path, place, text):
    assert len(edges_below(tree(tmp_path, {place: text}))) == 1


def test_a_circle_of_imports_is_found(tmp_path):
    files = {
        "b2bua/sip/uri.py": "from b2bua.sip.via import Via",
        "b2bua/sip/via.py": "def f():\n    from b2bua.sip import errors",
        "b2bua/sip/errors.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from .uri import Uri",
        "b2bua/sip/date.py": "from b2bua.sip.uri import Uri\nimport b2bua.sip.date",
        "b2bua/sip/rseq.py": "from b2bua.sip import date",
    }
    assert circles(tree(tmp_path, ROOMS | files)) == [["b2bua.sip.errors", "b2bua.sip.uri", "b2bua.sip.via"]]


def test_edges_may_be_edges(tmp_path):
    files = {
        "b2bua/transport/udp.py": "import socket\nfrom twisted.internet import reactor",
        "b2bua/store/writer.py": "import threading, time",
        "b2bua/phone/endpoint.py": "import secrets",
        "b2bua/trace/feed.py": "import socket, time\nfrom http.client import HTTPException",
    }
    root = tree(tmp_path, files)
    assert edges_below(root) + twisted_elsewhere(root) == []


def test_twisted_in_the_command_line_is_found(tmp_path):
    root = tree(tmp_path, {"b2bua/cli.py": "from twisted.internet import reactor", "b2bua/config/settings.py": "import twisted"})
    assert len(twisted_elsewhere(root)) == 2


def test_prometheus_has_one_home(tmp_path):
    root = tree(tmp_path, dict.fromkeys(("b2bua/http/metrics.py", "b2bua/http/site.py"), "import prometheus_client"))
    assert prometheus_elsewhere(root) == ["http/site.py:1: only http/metrics.py imports prometheus_client"]


def test_a_long_function_is_found(tmp_path):
    body = "    pass\n"
    text = f"def right():\n{body * 59}\nclass Thing:\n    async def wrong(self):\n    {'    pass' + chr(10)}"
    text += f"{'        pass' + chr(10)}" * 60
    root = tree(tmp_path, {"b2bua/sip/uri.py": text})
    assert [line.split(": ")[1] for line in long_functions(root)] == ["wrong has 62 lines, 60 at most"]


def test_a_long_file_is_found(tmp_path):
    root = tree(tmp_path, {"b2bua/sip/uri.py": "\n" * 400, "b2bua/sip/via.py": "\n" * 401})
    assert long_files(root) == ["sip/via.py: 401 lines, 400 at most"]


def test_a_vague_name_is_found(tmp_path):
    root = tree(tmp_path, {"b2bua/sip/utils.py": "", "b2bua/session_manager/session_manager.py": ""})
    assert vague_names(root) == ["sip/utils.py: a name that says nothing"]


def test_a_stranger_at_the_top_is_found(tmp_path):
    names = ("README.md", ".gitignore", "NOTES.md", "docs/plan.md", "b2bua.egg-info/x")
    root = tree(tmp_path, dict.fromkeys(names, ""))
    assert [line.split(":")[0] for line in untidy_top(root)] == ["NOTES.md", "docs"]
