"""Finding extensions: tools, backends, modes and datasets from other packages or from files.

An extension is an object that is found in one of three ways:

- by name, if a package registers it under the entry-point group of its kind, as the built-in ones are;
- as `package.module:name`, an attribute of a module that can be imported;
- as `path.py:name`, an attribute of a file.
"""

from __future__ import annotations

import contextlib
import difflib
import hashlib
import importlib
import importlib.util
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from inspect import ismodule
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from hart_agent.commands import install_command
from hart_agent.errors import ConfigError, HartError, PluginError

if TYPE_CHECKING:
    from importlib.metadata import Distribution, EntryPoint

T = TypeVar("T")

_OURS = "hart-agent"
_PACKAGES = ("hart_agent", "tools")
"""Of ours that hold extensions."""


@dataclass(frozen=True)
class Extension(Generic[T]):
    """An extension that was found.

    Attributes:
        name: as it was asked for.
        origin: the package with its entry point, or the module or file: for messages.
        value: the object.
    """

    name: str
    origin: str
    value: T


@dataclass(frozen=True)
class ExtensionPoint(Generic[T]):
    """One kind of extension, and where to find it.

    Attributes:
        noun: what one is called in messages, such as "tool".
        groups: entry-point groups under which packages register them.
        check: returns the object to be used for the one that was found; raises an exception for an unusable one.
        builtin: those that need no entry point, by name.
    """

    noun: str
    groups: Sequence[str]
    check: Callable[[Any], T]
    builtin: Mapping[str, T] = field(default_factory=dict)

    def names(self) -> list[str]:
        """The names of all that are installed: the built-in ones, then those of other packages by name."""
        return list(dict.fromkeys([*self.builtin, *(point.name for point in self.entry_points())]))

    def entry_points(self, *groups: str) -> list[EntryPoint]:
        """The entry points of all that are registered: ours first, then by name.

        Args:
            groups: by default all of the kind.
        """
        registered = _entry_points(tuple((path, _changed(path)) for path in sys.path))
        points = [point for group in groups or self.groups for point in registered.get(group, ())]
        return sorted(points, key=lambda point: (not _is_ours(point), point.name))

    def find(self, name: str) -> Extension[T]:
        """One extension.

        Args:
            name: a registered name, `package.module:name` or `path.py:name`.

        Raises:
            ConfigError: there is no such name, module or file.
            PluginError: two packages claim the name, or what it leads to is broken or unusable.
        """
        if ":" in name:
            return self.load_reference(name)
        points = [point for point in self.entry_points() if point.name == name]
        owners = [*([_OURS] if name in self.builtin else ()), *map(owner_of, points)]
        if not owners:
            raise self.unknown(name, self.names())
        if len(owners) > 1:
            raise PluginError(
                f"the {self.noun} name {name!r} is claimed by {' and by '.join(owners)}. Uninstall one of them."
            )
        return Extension(name, _OURS, self.builtin[name]) if name in self.builtin else self.load(points[0])

    def load(self, point: EntryPoint) -> Extension[T]:
        """A registered extension.

        Raises:
            PluginError: it can't be imported or used; the message names the package.
        """
        owner = owner_of(point)
        try:
            return Extension(point.name, owner, self.check(point.load()))
        except (Exception, SystemExit) as error:
            raise PluginError(
                f"the {self.noun} {point.name!r} of {owner} can't be loaded ({_reason(error)}). "
                "Fix or uninstall that package."
            ) from error

    def load_reference(self, reference: str) -> Extension[T]:
        """An extension that nobody registered.

        Args:
            reference: `package.module:name` or `path.py:name`.

        Raises:
            ConfigError: there is no such module or file.
            PluginError: it can't be run, has no such attribute, or the attribute can't be used.
        """
        place, _, attribute = reference.rpartition(":")
        module = _import_file(Path(place), self.noun) if place.endswith(".py") else _import_module(place, self.noun)
        if not hasattr(module, attribute):
            names = [name for name, value in vars(module).items() if name[0] != "_" and not ismodule(value)]
            known = difflib.get_close_matches(attribute, names) or names
            raise PluginError(f"{place} has no {attribute!r}; it has {', '.join(known) or 'no public names'}")
        try:
            return Extension(reference, place, self.check(getattr(module, attribute)))
        except Exception as error:
            raise PluginError(
                f"{attribute!r} of {place} can't be used as a {self.noun}: {_reason(error)}. Fix it or choose another."
            ) from error

    def unknown(self, name: str, known: Sequence[str]) -> ConfigError:
        """The error for a name that nothing has."""
        if not known:  # a checkout that was updated, or is run, without being installed: pip registers what it has
            return ConfigError(
                f"there is no {self.noun} {name!r}, for no {self.noun}s are registered: this hart-agent isn't "
                f"installed, or was before it had them. Run: {install_command(reinstall=True)}"
            )
        return ConfigError(
            f"there is no {self.noun} {name!r}; choose one of: {', '.join(known)}; "
            "or give package.module:name or path.py:name"
        )


def owner_of(point: EntryPoint) -> str:
    """The package that registered an entry point, and the object that it names."""
    package = _name(point.dist) if point.dist else "an unknown package"
    return f"{package} ({point.value})"


@cache
def _name(package: Distribution) -> str:
    """What a package calls itself, which takes 2 ms to read."""
    return package.name


@cache
def _entry_points(_where: tuple[tuple[str, float], ...]) -> Mapping[str, Sequence[EntryPoint]]:
    """By group, all that the packages in these folders register: 20 ms to read where hundreds are installed."""
    from importlib.metadata import entry_points

    every = entry_points()
    return {group: tuple(every.select(group=group)) for group in every.groups}


def _changed(path: str) -> float:
    """When something was last installed into a folder of the import path or removed from it."""
    with contextlib.suppress(OSError):
        return Path(path).stat().st_mtime
    return 0.0


def _is_ours(point: EntryPoint) -> bool:
    return point.module.partition(".")[0] in _PACKAGES


def _reason(error: BaseException) -> str:
    return str(error).rstrip(".") if isinstance(error, HartError) else f"{type(error).__name__}: {error}"


def _import_module(name: str, noun: str) -> ModuleType:
    if not all(part.isidentifier() for part in name.split(".")):
        raise ConfigError(f"{name!r} can't be the name of a module; expected package.module:name or path.py:name")
    try:
        return importlib.import_module(name)
    except (Exception, SystemExit) as error:
        if isinstance(error, ModuleNotFoundError) and f"{name}.".startswith(f"{error.name}."):
            raise ConfigError(
                f"there is no module {name!r} with a {noun}; install its package, or give a file as path.py:name"
            ) from error
        raise _broken(name, noun, error) from error


def _import_file(path: Path, noun: str) -> ModuleType:
    """Import a file under a name that no other has; annotations are looked up in `sys.modules`."""
    if not path.is_file():
        raise ConfigError(f"there is no file {str(path)!r} with a {noun}; expected path.py:name")
    name = f"hart_agent_file_{hashlib.sha256(bytes(path.resolve())).hexdigest()[:12]}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise _broken(path, noun, error) from error
    return module


def _broken(place: object, noun: str, error: BaseException) -> PluginError:
    return PluginError(f"the {noun}s in {place} can't be loaded ({type(error).__name__}: {error}). Fix that code.")
