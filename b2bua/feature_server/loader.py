"""Finds features and feature servers by name: built in, from a user's directory, or from an installed distribution."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import inspect
import pkgutil
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Final, NamedTuple

from b2bua.feature_server.contract import Environment
from b2bua.feature_server.feature import FILE_MODULE, Feature
from b2bua.feature_server.feature_codes import check_codes
from b2bua.feature_server.feature_faults import check_faults
from b2bua.feature_server.feature_server import FeatureServer
from b2bua.feature_server.setting_checks import check_defaults

ENTRY_POINTS: Final = "b2bua.features"
"""The entry point group in which an installed distribution names its features."""
BUILT_IN: Final = "plugins.communication_manager"
METHODS: Final = ("calls", "longest_hold", "use", "restore", "knows", "answered_by", "agree_again")
"""What a feature server has; `FeatureServer` says what they are."""
_SOURCE: Final = "__b2bua_source__"
"""The attribute of a user's module that keeps the text it was made of."""


class LoadError(Exception):
    """A plugin that cannot be used; the text is one line for the user, `key` the setting that names it."""

    def __init__(self, text: str, key: str = "features") -> None:
        super().__init__(text)
        self.key = key


class Choices(NamedTuple):
    """What the configuration says of features beside their names."""

    codes: Mapping[str, str] = MappingProxyType({})
    """Name of a feature code → the code."""
    defaults: Mapping[str, str] = MappingProxyType({})
    """Name of a user's setting → its value for who has not set it."""


NO_CHOICES: Final = Choices()


def load_features(
    names: Sequence[str], directory: Path | None, environment: Environment, standing: Sequence[Feature] = (),
    choices: Choices = NO_CHOICES,
) -> list[Feature]:  # fmt: skip
    """One feature per name, in order. A module is looked for in the directory first, then built in, then installed.

    Each module has one class that derives from `Feature`, made with the environment if its `__init__` takes one. Of
    `standing`, the features in use, one whose class is the same still is used on: it keeps what it shares among calls.
    """
    in_use = {type(feature): feature for feature in standing}
    classes = find_features(names, directory, choices)
    return [in_use.get(found) or _make(found, name, environment) for name, found in zip(names, classes, strict=True)]


def find_features(names: Sequence[str], directory: Path | None, choices: Choices = NO_CHOICES) -> list[type[Feature]]:
    """The classes of `load_features`; LoadError says which cannot be used, or what of the choices."""
    if directory is not None and not directory.is_dir():
        raise LoadError(f"{directory}: not a directory", "feature_directory")
    if twice := [name for name in names if names.count(name) > 1]:
        raise LoadError(f"feature {twice[0]!r} stands there twice: it would do everything twice")
    classes = [_feature_class(name, directory) for name in names]
    try:
        check_faults(classes)
    except ValueError as error:
        raise LoadError(str(error)) from None
    try:
        check_codes(classes, choices.codes)
    except ValueError as error:
        raise LoadError(str(error), "feature_codes") from None
    try:
        check_defaults(classes, choices.defaults)
    except ValueError as error:
        raise LoadError(str(error), "user_defaults") from None
    return classes


def built_in_features() -> list[str]:
    """The names of the features that come with the program."""
    package = importlib.import_module(BUILT_IN)
    return sorted(module.name for module in pkgutil.iter_modules(package.__path__))


def load_server(
    name: str, environment: Environment, features: Sequence[Feature], directory: Path | None = None
) -> FeatureServer:
    """The feature server NAME, by its function `feature_server(environment, features)`: `NAME.py` in the directory, else
    the package `plugins.NAME`."""
    make = find_server(name, directory)
    try:
        made = make(environment, features)
    except Exception as error:  # whatever a user's file does wrong, it is told in one line
        raise LoadError(f"feature server {name!r}: {_one_line(error)}", "feature_server") from error
    missing = [method for method in METHODS if not callable(getattr(made, method, None))]
    if missing:
        raise LoadError(f"feature server {name!r}: {type(made).__name__} has no {', '.join(missing)}", "feature_server")
    return made


def find_server(name: str, directory: Path | None = None) -> Callable[[Environment, Sequence[Feature]], FeatureServer]:
    """What makes the feature server NAME; LoadError when there is no such thing."""
    if not name.isidentifier():
        raise LoadError(f"feature server {name!r}: not a module name", "feature_server")
    if directory is not None and (directory / f"{name}.py").is_file():
        module = _from_file(directory / f"{name}.py", name)
    elif importlib.util.find_spec(f"plugins.{name}") is not None:
        module = importlib.import_module(f"plugins.{name}")
    else:
        where = f"none in {directory}, nor a" if directory is not None else "no"
        raise LoadError(f"feature server {name!r}: {where} module plugins.{name}", "feature_server")
    make: Callable[[Environment, Sequence[Feature]], FeatureServer] | None = getattr(module, "feature_server", None)
    if make is None:
        raise LoadError(f"feature server {name!r}: {module.__name__} has no function feature_server", "feature_server")
    return make


def _feature_class(name: str, directory: Path | None) -> type[Feature]:
    if not name.isidentifier():
        raise LoadError(f"feature {name!r}: not a module name")
    if directory is not None and (directory / f"{name}.py").is_file():
        return _class_in(_from_file(directory / f"{name}.py", name), name)
    if importlib.util.find_spec(f"{BUILT_IN}.{name}") is not None:
        return _class_in(importlib.import_module(f"{BUILT_IN}.{name}"), name)
    for entry in importlib.metadata.entry_points(group=ENTRY_POINTS, name=name):
        try:
            loaded = _load_installed(entry)
        except Exception as error:  # a distribution's own mistakes, told in one line as well
            raise LoadError(f"feature {name!r}: {entry.value}: {_one_line(error)}") from error
        if isinstance(loaded, type) and issubclass(loaded, Feature):
            return loaded
        raise LoadError(f"feature {name!r}: {entry.value} is no Feature class")
    where = f"in {directory}, " if directory is not None else ""
    raise LoadError(f"feature {name!r} not found {where}in {BUILT_IN}, nor in any distribution's {ENTRY_POINTS}")


def _from_file(path: Path, name: str) -> ModuleType:
    """The module in a file: run anew when its text has changed, and never from a cache, whose times are too coarse."""
    module_name = f"{FILE_MODULE}{name}"
    try:
        source = path.read_bytes()
    except OSError as error:
        raise LoadError(f"feature {name!r}: {path}: {error.strerror}") from error
    known = sys.modules.get(module_name)
    if known is not None and (known.__file__, getattr(known, _SOURCE, None)) == (str(path), source):
        return known
    module = ModuleType(module_name)
    module.__file__ = str(path)
    setattr(module, _SOURCE, source)
    sys.modules[module_name] = module  # As for any module while it runs: dataclasses look there.
    try:
        exec(compile(source, path, "exec"), vars(module))
    except Exception as error:  # whatever a user's file does wrong, it is told in one line
        if known is None:
            del sys.modules[module_name]
        else:
            sys.modules[module_name] = known
        raise LoadError(f"feature {name!r}: {path}: {_one_line(error)}") from error
    return module


def _load_installed(entry: importlib.metadata.EntryPoint) -> object:
    """What an entry point names. When a file of its package has changed, all of the package is imported anew; what is in use
    keeps the modules that it has."""
    package = entry.value.partition(":")[0].partition(".")[0].strip()
    known = {name: module for name, module in sys.modules.items() if name.partition(".")[0] == package}
    changed = [module for module in known.values() if _source_of(module) != getattr(module, _SOURCE, _source_of(module))]
    if changed:
        for name in known:
            del sys.modules[name]
        for module in changed:  # the times by which Python's own cache is judged are too coarse
            Path(importlib.util.cache_from_source(str(module.__file__))).unlink(missing_ok=True)
        importlib.invalidate_caches()
    try:
        loaded = entry.load()
    except BaseException:
        for name in [name for name in sys.modules if changed and name.partition(".")[0] == package]:
            del sys.modules[name]
        sys.modules.update(known)
        raise
    for name, module in sys.modules.items():
        if name.partition(".")[0] == package and not hasattr(module, _SOURCE) and (source := _source_of(module)) is not None:
            setattr(module, _SOURCE, source)
    return loaded


def _source_of(module: ModuleType) -> bytes | None:
    """The text of a module's file now; None where there is none, as of a compiled one."""
    file = getattr(module, "__file__", None)
    if not file or not file.endswith(".py"):
        return None
    try:
        return Path(file).read_bytes()
    except OSError:
        return None


def _class_in(module: ModuleType, name: str) -> type[Feature]:
    found = [
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Feature) and value is not Feature and value.__module__ == module.__name__
    ]
    if len(found) != 1:
        raise LoadError(f"feature {name!r}: {module.__name__} has {len(found)} Feature classes, wanted one")
    return found[0]


def _make(feature: type[Feature], name: str, environment: Environment) -> Feature:
    try:
        make: Callable[..., Feature] = feature
        return make(environment) if inspect.signature(feature).parameters else make()
    except Exception as error:  # anything: whatever its constructor raises, the feature cannot be had
        raise LoadError(f"feature {name!r}: {_one_line(error)}") from error


def _one_line(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())
