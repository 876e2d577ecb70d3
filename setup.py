"""What pyproject.toml cannot say: with `B2BUA_COMPILE=1` an installation compiles the core to machine code (mypyc).

Without it nothing here asks for a compiler or for mypy. Which modules it is, and which stay as they are, stands in
pyproject.toml under `[tool.b2bua.compile]`; how one installs it, in deploy/README.md.
"""

import os
import sys
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from setuptools import setup
from setuptools.command.build_ext import build_ext

PROJECT = tomllib.loads((Path(__file__).parent / "pyproject.toml").read_text(encoding="utf-8"))
MYPY = next(line for line in PROJECT["project"]["optional-dependencies"]["check"] if line.startswith("mypy=="))
"""The very version that checks the types: another may find fault with them, or compile them otherwise."""
BUILDS = {"bdist_wheel", "build", "build_ext", "install"}
# The types are checked by `make check`. What is imported from elsewhere counts as untyped: a build has mypy and no more; so
# modules that are not compiled may look wrong here (bases that are unknown), and are not spoken of.
OPTIONS = ["--config-file=", "--ignore-missing-imports", "--disable-error-code=import-untyped", "--follow-imports=silent"]


class SideBySide(build_ext):
    """As many compilers at a time as there are processors for this process; setuptools itself has one an extension."""

    def finalize_options(self) -> None:
        super().finalize_options()
        self.parallel = len(os.sched_getaffinity(0))

    def build_extensions(self) -> None:
        compile_some = self.compiler.compile

        def compile_all(sources: list[str], *rest: Any, **options: Any) -> list[str]:
            """The objects of these sources. The biggest come first, so that none of them is left over at the end."""
            biggest_first = sorted(sources, key=os.path.getsize, reverse=True)
            with ThreadPoolExecutor(self.parallel) as compilers:
                made = compilers.map(lambda source: compile_some([source], *rest, **options), biggest_first)
                return [each for objects in made for each in objects]

        self.compiler.compile = compile_all
        super().build_extensions()


def sources() -> list[str]:
    """The files to be compiled, from the top of the project."""
    chosen = PROJECT["tool"]["b2bua"]["compile"]
    found = {str(path) for pattern in chosen["modules"] for path in Path().glob(pattern) if path.name != "__init__.py"}
    return sorted(found - set(chosen["interpreted"]))


def compiled() -> dict[str, Any]:
    """The arguments of `setup` for this command."""
    if "editable_wheel" in sys.argv:
        sys.exit("B2BUA_COMPILE: what is compiled would hide the sources that an editable installation is read from")
    if not BUILDS & set(sys.argv):
        return {"setup_requires": [MYPY]}  # What the build needs, asked before it.
    from mypyc.build import mypycify

    # A C file a module: one for all would keep a single compiler busy for minutes.
    extensions = mypycify([*OPTIONS, *sources()], opt_level="3", debug_level="0", group_name="b2bua", multi_file=True)
    return {"ext_modules": extensions, "cmdclass": {"build_ext": SideBySide}}


setup(**compiled() if os.environ.get("B2BUA_COMPILE") == "1" else {})
