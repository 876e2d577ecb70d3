"""The documents say what is: settings, commands, targets, policy, counters, links; and the example of a feature acts."""

from __future__ import annotations

import inspect
import re
import tomllib
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from random import Random

import click
import pytest

from b2bua.cli import commands
from b2bua.config.settings import FIELDS, Settings
from b2bua.config.sources import CONFIG_VARIABLE, ENVIRONMENT_PREFIX, load_settings
from b2bua.config.tables import CHALLENGEABLE, REINVITE
from b2bua.feature_server.contract import Environment
from b2bua.feature_server.feature import Feature
from b2bua.feature_server.feature_server import FeatureServer
from b2bua.feature_server.loader import METHODS, load_features
from b2bua.http.families import GAUGES, HELP
from b2bua.observer import HISTOGRAMS, NAMES
from b2bua.reference import table
from b2bua.session_manager.challenge_policy import NEVER, ChallengePolicy
from b2bua.sip.profiles import SWITCHES
from tests.feature_server.surroundings import Surroundings
from tests.scenarios import test_profiles
from tests.scenarios.options import Options
from tests.scenarios.scene import Scene, called, hang_up, invite
from tests.scenarios.script_call import ScriptCall
from tests.scenarios.test_challenge_matrix import IN_DIALOG, OUT_OF_DIALOG

ROOT = Path(__file__).resolve().parent.parent
SETTINGS, COMMANDS, TRACE, METRICS = (f"b2bua/{room}/README.md" for room in ("config", "commands", "trace", "http"))
SESSION_MANAGER = "b2bua/session_manager/README.md"
HOUSE, GUIDE, RUNNING = "b2bua/README.md", "plugins/README.md", "tests/RUNNING.md"
FOLDERS = ("b2bua", "plugins", "deploy", "tests")
DOCUMENTS = tuple(
    path.relative_to(ROOT).as_posix()
    for path in sorted((*ROOT.glob("*.md"), *(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.md"))))
)
"""All of them: a new one is looked at without a word."""
INDEXES = ("tests/README.md", "tests/CHECKLIST.md", "CHANGELOG.md")
"""Lists that are searched and not read; they may be of any length."""
LONGEST_DOCUMENT = 500
LONGEST_FRONT_PAGE = 350
WITH_COMMANDS = (*DOCUMENTS, "deploy/b2bua.toml")
WITH_VARIABLES = (
    *WITH_COMMANDS, "deploy/Dockerfile", "docker-compose.yml", "deploy/docker-compose.host.yml", "deploy/env.example",
)  # fmt: skip
LONGEST_LINE = 110
EXAMPLE_LINES = 30


def text_of(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def section(name: str, title: str) -> str:
    """What stands under a heading, up to the next one of its level."""
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", text_of(name), re.DOTALL | re.MULTILINE)
    assert found, f"{name} has no section {title}"
    return found[1]


def rows(text: str, first: str) -> list[list[str]]:
    """The cells of the table whose head begins with `first`, without the head."""
    lines = text.splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith(f"| {first} |"))
    found = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        found.append([cell.strip() for cell in line.strip("|").split("|")])
    return found


def bare(cell: str) -> str:
    return cell.strip("`")


def lines_outside_code(text: str) -> Iterator[tuple[int, str]]:
    """With their numbers."""
    fenced = False
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("```"):
            fenced = not fenced
        elif not (fenced or line.startswith("    ")):
            yield number, line


def prose(text: str) -> Iterator[tuple[int, str]]:
    """Lines outside code, tables and headings, with their numbers."""
    yield from ((number, line) for number, line in lines_outside_code(text) if not line.startswith(("|", "#")))


def too_long(line: str) -> bool:
    """Whether it could be broken, too: the name of a test cannot."""
    return len(line) > LONGEST_LINE and len(line.removeprefix("  - ").split()) > 1


# ---- the settings


def configuration() -> dict[str, list[str]]:
    return {bare(row[0]): row for row in rows(section(SETTINGS, "Configuration"), "TOML key")}


def test_every_setting_is_in_the_reference_and_nothing_else() -> None:
    assert sorted(configuration()) == sorted(FIELDS)


def test_the_reference_is_what_the_code_says() -> None:
    """Keys, variables, options, defaults, ranges, what SIGHUP follows, and the sentences: `b2bua config reference`."""
    text = section(SETTINGS, "Configuration")
    start = text.index("| TOML key |")
    assert text[start : text.index("\n\n", start) + 1] == table(options(commands.commands["run"]))


def test_the_reference_names_no_option_that_is_not_there() -> None:
    assert {"--config"} | {bare(row[2]) for row in configuration().values()} - {"–"} == options(commands.commands["run"])


@pytest.mark.parametrize("key", FIELDS)
def test_a_setting_has_its_default_variable_and_option(key: str, tmp_path: Path) -> None:
    _, variable, option, default, _range, _reload, meaning = configuration()[key]
    assert bare(variable) == ENVIRONMENT_PREFIX + key.upper()
    named = "--" + key.replace("_", "-")
    assert bare(option) == (named if named in options(commands.commands["run"]) else "–")
    assert meaning.endswith((".", "`."))
    if default == "not set":
        assert getattr(Settings(), key) is None
        return
    file = tmp_path / "settings.toml"
    file.write_text(f"{key} = {bare(default)}\n")
    assert key in tomllib.loads(file.read_text())
    assert getattr(load_settings(file, {}, {}), key) == getattr(Settings(), key)


@pytest.mark.parametrize("name", WITH_VARIABLES)
def test_variables_exist(name: str) -> None:
    known = {ENVIRONMENT_PREFIX + key.upper() for key in FIELDS} | {CONFIG_VARIABLE, "B2BUA_ADVERTISED", "B2BUA_COMPILE"} | {
        "B2BUA_TOKEN_FILE"
    }
    assert set(re.findall(r"\bB2BUA_[A-Z_]*[A-Z]\b", text_of(name))) <= known


# ---- the contract of features


def hooks() -> set[str]:
    """What a feature may override."""
    return {
        name
        for name, value in vars(Feature).items()
        if not name.startswith("_") and callable(getattr(value, "__func__", value))
    }


def test_every_hook_of_a_feature_is_in_the_reference_and_nothing_else() -> None:
    table = {bare(row[0]).partition("(")[0]: bare(row[0]) for row in rows(section("plugins/README.md", "Hooks"), "Hook")}
    assert set(table) == hooks()
    for name, written in table.items():
        arguments = [one for one in inspect.signature(getattr(Feature, name)).parameters if one not in ("self", "cls")]
        assert written == f"{name}({', '.join(arguments)})"


def words_of_code(text: str) -> set[str]:
    """Every word in code spans, indented lines and fenced blocks."""
    code = re.findall(r"`([^`\n]+)`|^(    .*)$|^```\w*\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    return set(re.findall(r"\w+", " ".join(" ".join(one) for one in code)))


def test_every_setting_of_features_is_in_the_guide() -> None:
    settings = {key for key in FIELDS if key.startswith("feature")}
    assert len(settings) > 3
    assert settings <= words_of_code(text_of("plugins/README.md"))


def test_everything_of_the_environment_is_in_the_guide() -> None:
    assert {field.name for field in fields(Environment)} <= words_of_code(section("plugins/README.md", "What a hook is given"))


def test_every_method_of_a_feature_server_is_asked_for_and_in_the_guide() -> None:
    methods = {name for name, value in vars(FeatureServer).items() if not name.startswith("_") and inspect.isfunction(value)}
    assert methods == set(METHODS)
    written = section("plugins/README.md", "Another feature server")
    for name in methods:
        arguments = [one for one in inspect.signature(getattr(FeatureServer, name)).parameters if one != "self"]
        assert f"`{name}({', '.join(arguments)})`" in written


# ---- the commands


def options(command: click.Command) -> set[str]:
    return {one for parameter in command.params if isinstance(parameter, click.Option) for one in parameter.opts}


def leaves() -> dict[str, click.Command]:
    """`run`, `user add`, … → command."""
    found = {}
    for name, command in commands.commands.items():
        if isinstance(command, click.Group):
            found |= {f"{name} {below}": one for below, one in command.commands.items()}
        else:
            found[name] = command
    return found


def calls_of_b2bua(text: str) -> Iterator[list[str]]:
    """The words after `b2bua` wherever a command is written: in a code span, an indented line, a fenced block."""
    code = re.findall(r"`([^`\n]+)`", text) + [line for line in text.splitlines() if line.startswith("    ")]
    for piece in code:
        command = re.search(r"(?:^|[\s/=])b2bua((?: +[^\s#`]+)+)", piece.partition(" #")[0])
        if command:
            yield command[1].split()


def wrong_call(words: list[str]) -> str:
    """What is wrong with the words of one command, "" when nothing is."""
    known = leaves()
    if words[0].startswith("-"):
        return "" if words[0] in ("--version", "--help") else f"no option {words[0]}"
    group = words[0]
    if isinstance(commands.commands.get(group), click.Group):
        if len(words) == 1:
            return ""
        unknown = [verb for verb in words[1].split("|") if f"{group} {verb}" not in known]
        if unknown:
            return f"no command {group} {unknown[0]}"
        name = f"{group} {words[1].split('|')[0]}"
    else:
        name = words[0]
    if name not in known:
        return f"no command {name}"
    strange = {word.partition("=")[0] for word in words if word.startswith("--")} - options(known[name])
    return f"{name} has no {sorted(strange)}" if strange else ""


@pytest.mark.parametrize("name", WITH_COMMANDS)
def test_commands_exist(name: str) -> None:
    assert [wrong for words in calls_of_b2bua(text_of(name)) if (wrong := wrong_call(words))] == []


def test_a_wrong_command_would_be_seen() -> None:
    text = "`b2bua user rename X`\n    .venv/bin/b2bua trace --colour  # x\n`b2bua run --listen udp:[::]:0`\n"
    found = [wrong_call(words) for words in calls_of_b2bua(text)]
    assert found == ["no command user rename", "", "trace has no ['--colour']"]


def test_every_command_and_its_options_are_in_the_reference() -> None:
    text = section(COMMANDS, "Commands")
    of_trace = section(TRACE, "Options")
    named = {bare(row[0]) for row in rows(text, "Command")}
    assert {" ".join(word for word in name.split()[1:] if not word.isupper()) for name in named} == set(leaves())
    for command in leaves().values():
        missing = [option for option in options(command) - {"-h", "--help"} if f"`{option}" not in text + of_trace]
        assert missing == []
    trace = {name for row in rows(of_trace, "Option of `b2bua trace`") for name in re.findall(r"`(-[-\w]+)", row[0])}
    assert trace == options(commands.commands["trace"]) - {"-h", "--help"}


def test_make_targets_exist_and_are_named() -> None:
    targets = set(re.findall(r"^([a-z-]+):", text_of("Makefile"), re.MULTILINE))
    phony = re.search(r"^\.PHONY: (.*)$", text_of("Makefile"), re.MULTILINE)
    assert phony and set(phony[1].split()) == targets
    named: dict[str, set[str]] = {}
    for document in DOCUMENTS:
        text = text_of(document)
        spans = re.findall(r"`make ([a-z -]+?)(?: ARGS=[^`]*)?`", text) + re.findall(r"^    make ([a-z-]+)", text, re.MULTILINE)
        named[document] = {word for words in spans for word in words.split()}
        assert named[document] <= targets, document
    assert named["README.md"] | named[RUNNING] == targets - {"help"}


# ---- the challenges


def test_the_policy_is_the_table() -> None:
    policy = ChallengePolicy()
    methods = CHALLENGEABLE | NEVER
    status = {"none": 0, "401": 401, "407": 407}
    table = {row[0]: [status[cell] for cell in row[1:]] for row in rows(section(SESSION_MANAGER, "Challenges"), "Method")}
    assert table == {method: [policy.status(method, in_dialog) for in_dialog in (False, True)] for method in methods}


def test_the_matrix_has_a_row_for_whatever_can_be_challenged() -> None:
    found = [row[1] for row in rows(section(SESSION_MANAGER, "Challenges"), "What is challenged")]
    assert sorted(found) == sorted(f'`{method} = "407"`' for method in (*CHALLENGEABLE, REINVITE))
    assert {*IN_DIALOG, *OUT_OF_DIALOG, "REGISTER"} == {*CHALLENGEABLE, REINVITE}


# ---- the profiles


def test_the_profiles_are_the_table() -> None:
    found = {bare(row[0]): row[1] for row in rows(section(SETTINGS, "Profiles"), "Profile")}
    assert found == dict(SWITCHES)


@pytest.mark.parametrize("name", SWITCHES)
def test_a_scenario_shows_what_a_profile_switches(name: str) -> None:
    """With it, and that it is off without."""
    tests = [test for test in vars(test_profiles) if test.startswith(f"test_{name}_")]
    assert f"test_{name}_is_off_by_default" in tests and len(tests) > 1


# ---- the counters


def exported() -> Iterator[list[str]]:
    """The row of each family, from the tables of the code."""
    families = [(f"{name}_total", "counter", labels, HELP[name]) for name, labels in NAMES.items()]
    families.append(("trace_dropped_total", "counter", (), HELP["trace_dropped"]))
    families += [(name, "histogram", labels, HELP[name]) for name, (labels, _) in HISTOGRAMS.items()]
    families += [(name, "gauge", labels, text) for name, (labels, text) in GAUGES.items()]
    for name, kind, labels, text in families:
        yield [f"`b2bua_{name}`", kind, ", ".join(f"`{label}`" for label in labels) or "–", text]


def test_the_table_of_metrics_is_that_of_the_code() -> None:
    assert rows(section(METRICS, "Metrics"), "Metric") == list(exported())


# ---- links and names


def links(text: str) -> list[str]:
    return re.findall(r"\]\(([^)\s]+)\)", text)


def anchors(text: str) -> set[str]:
    """What a heading can be reached by: letters, digits, - and _ of it, blanks as -; the second of a name has -1 behind it."""
    found: dict[str, int] = {}
    for _, heading in lines_outside_code(text):
        if re.match(r"#+ ", heading):
            shown = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading.lstrip("#").strip())
            name = re.sub(r"[^\w\- ]", "", shown.lower()).replace(" ", "-")
            found[name] = found.get(name, -1) + 1
    return {f"{name}-{number}" if number else name for name, last in found.items() for number in range(last + 1)}


def dead_links(name: str, text: str) -> Iterator[str]:
    """Links of a document that lead to no file, out of the project, or to no heading."""
    for link in links(text):
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        target = ((ROOT / name).parent / path).resolve() if path else ROOT / name
        there = target.exists() and target.is_relative_to(ROOT)
        if there and anchor:
            there = anchor in anchors(text if target == ROOT / name else target.read_text(encoding="utf-8"))
        if not there:
            yield link


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links_lead_somewhere(name: str) -> None:
    assert list(dead_links(name, text_of(name))) == []


def test_a_dead_link_would_be_seen() -> None:
    """No file; no heading; one that is a comment in code; one out of the project; and of two headings the third."""
    text = "# A b: c\n## A b: c\n```\n# code\n```\n"
    good, dead = ["#a-b-c", "#a-b-c-1", "deploy/README.md#deploying"], ["none.md", "README.md#none", "#code", "../x", "#a-b-c-2"]
    assert list(dead_links("README.md", text + " ".join(f"[]({link})" for link in good + dead))) == dead


def test_the_documents_are_all_reached_from_the_front_page() -> None:
    seen: set[str] = set()
    waiting = ["README.md"]
    while waiting:
        name = waiting.pop()
        if name in seen or name not in DOCUMENTS:
            continue
        seen.add(name)
        paths = [link.partition("#")[0] for link in links(text_of(name)) if "://" not in link]
        targets = [((ROOT / name).parent / path).resolve() for path in paths if path.endswith(".md")]
        waiting += [target.relative_to(ROOT).as_posix() for target in targets]
    assert seen == set(DOCUMENTS)


@pytest.mark.parametrize("name", [name for name in DOCUMENTS if name not in INDEXES])
def test_a_document_says_what_it_is_and_is_not_too_long(name: str) -> None:
    head, blank, sentence = text_of(name).splitlines()[:3]
    assert head.startswith("# ") and not blank and re.match(r"[A-Z`6]", sentence), f"{name} has no sentence at its top"
    longest = LONGEST_FRONT_PAGE if name == "README.md" else LONGEST_DOCUMENT
    assert len(text_of(name).splitlines()) <= longest


def test_what_is_said_to_be_somewhere_is_there() -> None:
    parts = section(HOUSE, "Where is …").split("\n### ")[1:]
    assert len(parts) > 10
    for _, files, names in [row for part in parts for row in rows(part, "What")]:
        text = "".join(text_of(f"b2bua/{path}") for path in re.findall(r"\]\(([^)]+)\)", files))
        for name in re.findall(r"`(\w+)`", names):
            assert made_in(text, name), f"{name} in {files}"
        for dotted in re.findall(r"`(\w+\.[\w.]+)`", names):
            assert all(re.search(rf"\b{part}\b", text) for part in dotted.split(".")), f"{dotted} in {files}"


def made_in(text: str, name: str) -> bool:
    return re.search(rf"^\s*(?:(?:async )?def|class) {name}\b|^{name}\b", text, re.MULTILINE) is not None


def test_the_walk_of_a_datagram_goes_by_files_and_names_that_are_there() -> None:
    """A file without its room is in that of the file before it, or of the whole."""
    walk = text_of(HOUSE).partition("The walk of a datagram")[2].split("```")[1]
    seen = 0
    for line in (line[32:] for line in walk.splitlines() if ".py" in line[32:]):
        room, text = "", ""
        for path in re.findall(r"[\w/]+\.py", line):
            room = path.rpartition("/")[0] or room
            found = [ROOT / top / path for top in ("b2bua", f"b2bua/{room}", "", room) if (ROOT / top / path).is_file()]
            assert found, line
            text += found[0].read_text(encoding="utf-8")
            seen += 1
        for name in re.findall(r"(?<![\w/.])(?:_\w+|[A-Z]\w*[a-z]\w*|\w+_\w+)(?!\w*(?:\.py|/))", line):
            assert re.search(rf"\b{name}\b", text), f"{name} of {line}"
    assert seen > 20


def test_names_in_the_house_rules_exist() -> None:
    how = section(HOUSE, "How to add …")
    sources = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "b2bua").rglob("*.py"))
    for name in re.findall(r"`([A-Z_]\w+|_\w+|packages = .*?)`", how):
        assert name in sources, name


def test_every_room_is_in_the_house() -> None:
    table = rows(text_of(HOUSE), "Room")
    named = {word for row in table for word in re.findall(r"\[([a-z_]+)\]", row[0])}
    assert named == {path.parent.name for path in (ROOT / "b2bua").glob("*/__init__.py")}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_lines_are_short(name: str) -> None:
    assert [number for number, line in prose(text_of(name)) if too_long(line)] == []


# ---- the example of a feature


@pytest.fixture
def example(tmp_path: Path) -> Path:
    """A directory with the example of plugins/README.md, under the name that stands above it."""
    found = re.search(r"^`(\w+)\.py`:.*?^```python\n(.*?)^```$", text_of("plugins/README.md"), re.DOTALL | re.MULTILINE)
    assert found and found[1] == "call_screening"
    assert len(found[2].splitlines()) <= EXAMPLE_LINES
    (tmp_path / f"{found[1]}.py").write_text(found[2], encoding="utf-8")
    return tmp_path


def test_the_example_loads(example: Path) -> None:
    [feature] = load_features(["call_screening"], example, Surroundings().environment)
    assert type(feature).__name__ == "CallScreening"


def test_the_example_acts_in_calls(example: Path) -> None:
    scene = Scene(Options(features=("call_screening", "hold", "lamps"), feature_directory=example))
    alice, bob, carol = (scene.phone(user) for user in ("6001", "6002", "6003"))
    refused = called(carol, bob.aor)
    carol >> refused.ack(carol << "603 INVITE")
    bob.hears_nothing()
    a, b, arrived = invite(alice, bob)
    assert arrived.get("Subject") == "screened by example.com"
    bob >> b.answer(arrived, 200, b.sdp())
    answer = alice << "200 INVITE"
    a.learn(answer)
    alice >> a.ack(answer)
    bob << "ACK"
    hang_up(a, b)
    scene.quiet()


def test_the_example_of_a_fault_strikes(tmp_path: Path) -> None:
    """As late as the seed says, and by its name in the trace."""
    guide = section("plugins/README.md", "Faults that a feature brings")
    found = re.search(r"^```python\n(.*?)^```$", guide, re.DOTALL | re.MULTILINE)
    line = re.search(r"^    b2bua fault add (jitter .*)$", guide, re.MULTILINE)
    assert found and line
    (tmp_path / "jitter.py").write_text(found[1], encoding="utf-8")
    scene = Scene(Options(features=("jitter", "hold", "lamps"), feature_directory=tmp_path, trace=100))
    alice, bob = scene.phone("6001"), scene.phone("6002")
    scene.server.fault(line[1])
    alice >> (call := ScriptCall(alice, bob.aor)).invite(call.sdp())
    alice.hears_nothing()
    late = 0.8 * Random(7).random()
    assert late - 0.1 < scene.wait(alice, 1.0) < late + 0.2
    alice >> call.ack(alice << "407 INVITE")
    assert scene.count("faults_injected", "jitter") == 1
    scene.quiet()


def test_the_hooks_are_those_of_a_feature() -> None:
    listed = {row[0].strip("`").partition("(")[0] for row in rows(section("plugins/README.md", "Hooks"), "Hook")}
    defined = re.findall(r"^    def (\w+)\(", text_of("b2bua/feature_server/feature.py"), re.MULTILINE)
    assert listed == set(defined)
