"""Runs targets one after the other, each in a process of its own, for a bounded time.

    python -m tests.fuzz.run [TARGET ...] [--seconds S] [--inputs N] [--seed N]
    python -m tests.fuzz.run TARGET --once "b'...'"      one input, in this process, without atheris

Without a TARGET all run. One line a target says how many inputs it took; a finding ends the run with status 1 and prints
the input so that `--once` takes it back, and what the oracle said (with the ladder, where there is one).
"""

from __future__ import annotations

import argparse
import ast
import importlib
import re
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path

from tests.fuzz.target import Target

TARGETS = ("parser", "sdp", "digest", "framer", "websocket", "server", "streams")
SLOWEST_SECONDS = 20
"""An input that takes longer is a finding."""
START_SECONDS = 60
"""What importing and instrumenting may take."""
MEMORY_MIB = 2048
_INPUTS = re.compile(r"stat::number_of_executed_units:\s*(\d+)")
_EDGES = re.compile(r" cov: (\d+)")


def load(name: str) -> Target:
    """The target of that name."""
    made: Target = importlib.import_module(f"tests.fuzz.{name}").make()
    return made


def fuzz(name: str, directory: Path, options: list[str]) -> None:
    """Fuzz in this process, which ends with it; `directory` takes the corpus, the dictionary and what was found."""
    import atheris

    with atheris.instrument_imports(include=["b2bua", "plugins"]):
        target = load(name)
    corpus = directory / "corpus"
    corpus.mkdir()
    for index, seed in enumerate(target.seeds):
        (corpus / f"seed{index:03d}").write_bytes(seed)
    quoted = ('"' + "".join(f"\\x{byte:02x}" for byte in word) + '"\n' for word in target.words)
    (directory / "words").write_text("".join(quoted), encoding="ascii")

    def check(data: bytes) -> None:
        try:
            target.check(data)
        except Exception:
            traceback.print_exc()
            raise

    arguments = [name, str(corpus), f"-dict={directory / 'words'}", f"-artifact_prefix={directory}/found-"]
    arguments += ["-print_final_stats=1", f"-timeout={SLOWEST_SECONDS}", f"-rss_limit_mb={MEMORY_MIB}", *options]
    atheris.Setup(arguments, check)
    atheris.Fuzz()


def watch(name: str, seconds: int, options: list[str]) -> bool:
    """Let one target run in a process of its own and say what came of it; False for a finding."""
    with tempfile.TemporaryDirectory(prefix="b2bua-fuzz-") as made:
        directory, log = Path(made), Path(made) / "log"
        command = [sys.executable, "-m", "tests.fuzz.run", name, "--in", made, "--", f"-max_total_time={seconds}", *options]
        with log.open("wb") as output:
            try:
                status = subprocess.run(
                    command, stdout=output, stderr=output, timeout=seconds + SLOWEST_SECONDS + START_SECONDS, check=False
                ).returncode
            except subprocess.TimeoutExpired:
                status = -1
        text = log.read_text(errors="replace")
        inputs, edges = _INPUTS.findall(text), _EDGES.findall(text)
        print(f"{name}: {inputs[-1] if inputs else 'unknown number of'} inputs, {edges[-1] if edges else 0} edges", flush=True)
        found = sorted(directory.glob("found-*"))
        for path in found:
            print(f"FOUND ({path.name.split('-')[1]}): python -m tests.fuzz.run {name} --once {str(path.read_bytes())!r}")
        if status or found:
            print(_said(text))
        return not status and not found


def _said(log: str) -> str:
    """What the oracle said: the log from the first traceback on, without libFuzzer's progress; else its end."""
    _, mark, rest = log.partition("Traceback (most recent call last)")
    return mark + rest.partition("=== Uncaught Python exception")[0] if mark else log[-4000:]


def main() -> int:
    """Command line in, exit status out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("targets", nargs="*", choices=[*TARGETS, []], help="all when none is given")
    parser.add_argument("--seconds", type=int, default=10, help="how long each target runs")
    parser.add_argument("--inputs", type=int, help="how many inputs each target takes at most")
    parser.add_argument("--seed", type=int, default=0, help="of libFuzzer's random numbers; 0: another one each time")
    parser.add_argument("--once", metavar="INPUT", help="one input as a Python literal")
    parser.add_argument("--in", dest="directory", type=Path, help=argparse.SUPPRESS)
    arguments, rest = sys.argv[1:], []
    if "--" in arguments:
        arguments, rest = arguments[: arguments.index("--")], arguments[arguments.index("--") + 1 :]
    args = parser.parse_args(arguments)
    if args.directory is not None:
        fuzz(args.targets[0], args.directory, rest)
    elif args.once is not None:
        target = load(args.targets[0])
        target.check(ast.literal_eval(args.once))
        target.finish()
    else:
        options = [f"-seed={args.seed}"] + ([f"-runs={args.inputs}"] if args.inputs else [])
        results = [watch(name, args.seconds, options) for name in args.targets or TARGETS]
        return 0 if all(results) else 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
