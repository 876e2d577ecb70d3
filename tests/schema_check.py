"""Documents against the schemas of tests/schemas, by xmllint."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Final

SCHEMAS: Final = Path(__file__).parent / "schemas"


def check_documents(documents: Iterable[bytes], schema: str, directory: Path) -> None:
    """Every document is valid by the schema of this file name, `.xsd` or `.rng`."""
    xmllint = shutil.which("xmllint")
    assert xmllint, "xmllint is missing: make system installs libxml2-utils"
    paths = []
    for number, document in enumerate(documents):
        path = directory / f"{schema}-{number}.xml"
        path.write_bytes(document)
        paths.append(str(path))
    assert paths, "nothing to check"
    kind = "--relaxng" if schema.endswith(".rng") else "--schema"
    command = [xmllint, "--nonet", "--noout", kind, str(SCHEMAS / schema), *paths]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
