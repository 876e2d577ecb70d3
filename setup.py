"""What pyproject.toml cannot say: with `B2BUA_COMPILE=1` an installation compiles the core to machine code (mypyc).

Without it nothing here asks for a compiler or for mypy. Which modules it is, and which stay as they are, stands in
pyproject.toml under `[tool.b2bua.compile]`; how one installs it, in README.md.
"""

import os
import sys
import tomllib
from pathlib import Path
from typing import Any

from setuptools import setup

PROJECT = tomllib.loads((Path(__file__).parent / "pyproject.toml").read_text(encoding="utf-8"))
MYPY = next(line for line in PROJECT["project"]["optional-dependencies"]["check"] if line.startswith("mypy=="))
"""The very version that checks the types: another may find fault with them, or compile them otherwise."""
BUILDS = {"bdist_wheel", "build", "build_ext", "install"}
# The types are checked by `make check`. What is imported from elsewhere counts as untyped: a build has mypy and no more; so
# modules that are not compiled may look wrong here (bases that are unknown), and are not spoken of.
OPTIONS = ["--config-file=", "--ignore-missing-imports", "--disable-error-code=import-untyped", "--follow-imports=silent"]


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

    return {"ext_modules": mypycify([*OPTIONS, *sources()], opt_level="3", debug_level="0", group_name="b2bua")}


setup(**compiled() if os.environ.get("B2BUA_COMPILE") == "1" else {})
