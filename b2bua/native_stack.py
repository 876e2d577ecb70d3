"""Which compiled functions a thread is in: Python's own frames do not show them.

mypyc makes of each function a symbol `CPyDef_MODULE___CLASS___NAME` (`CPyPy_…` where Python calls it), with as much of the end of
the module's name as tells it from others. The C library walks the stack (`backtrace`, of glibc and macOS; musl has none) and
names the function at an address (`dladdr`). Nobody pays for this but who asks.
"""

from __future__ import annotations

import ctypes
from typing import Any, Final

INTERPRETED: Final = ""
"""In place of a name: Python's interpreter is at work there, for one function or several that called one another."""
_DEEPEST: Final = 512
_PREFIXES: Final = ("CPyDef_", "CPyPy_")
_OWN: Final = "__mypyc__"
"""In the names of functions of mypyc's own."""
_INTERPRETER: Final = "_PyEval_EvalFrameDefault"


class _Symbol(ctypes.Structure):
    """`Dl_info` of dladdr(3)."""

    _fields_ = (
        ("file", ctypes.c_char_p), ("base", ctypes.c_void_p), ("name", ctypes.c_char_p), ("address", ctypes.c_void_p)
    )  # fmt: skip


def _library() -> Any:
    """The C library, or None where it cannot walk a stack."""
    found = ctypes.CDLL(None)
    if not hasattr(found, "backtrace") or not hasattr(found, "dladdr"):
        return None
    found.backtrace.argtypes = (ctypes.POINTER(ctypes.c_void_p), ctypes.c_int)
    found.dladdr.argtypes = (ctypes.c_void_p, ctypes.POINTER(_Symbol))
    return found


_LIBRARY: Final = _library()


def compiled_functions() -> list[str]:
    """What the calling thread is in, innermost first, whoever calls this included: `MODULE___CLASS___NAME` or INTERPRETED for
    each; nothing where that cannot be known."""
    if _LIBRARY is None:
        return []
    addresses = (ctypes.c_void_p * _DEEPEST)()
    symbol = _Symbol()
    found = []
    for address in addresses[: _LIBRARY.backtrace(addresses, _DEEPEST)]:
        if not address or not _LIBRARY.dladdr(address, ctypes.byref(symbol)) or symbol.name is None:
            continue
        name = symbol.name.decode("ascii", "replace")
        prefix = next((each for each in _PREFIXES if name.startswith(each)), "")
        if name == _INTERPRETER:
            found.append(INTERPRETED)
        elif prefix and _OWN not in name:
            found.append(name.removeprefix(prefix))
    return found


def is_of(function: str, module: str) -> bool:
    """Whether a function, as it is named here, is of this module: `hold___Hold___call_changed` of `plugins.mine.hold`."""
    parts, path = function.split("___"), module.split(".")
    return any(parts[:length] == path[-length:] for length in range(1, min(len(parts), len(path) + 1)))
