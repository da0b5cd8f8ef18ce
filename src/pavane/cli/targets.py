"""What a worker is told to serve: `shop:orders`, `shop:orders.Seller`, `shop:seller`, `shop.py`."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import cast

from ..actors.choreography import Choreography
from ..effects.pipeline.registry import ExtensionRegistry
from ..language.errors import PavaneError
from .errors import UsageError

FORMS = (
    "write MODULE:PROTOCOL, MODULE:PROTOCOL.ROLE or MODULE:FUNCTION, where MODULE is `shop` or "
    "`shop.py` and PROTOCOL a variable that holds what pavane.load returned"
)


@dataclass(frozen=True, slots=True)
class Target:
    """A protocol of a user's module, and which of its roles are meant; none means all."""

    choreography: Choreography
    roles: tuple[str, ...] = ()


def targets(texts: Iterable[str]) -> list[Target]:
    """What the texts mean. Raises `UsageError` for what is not there or cannot be loaded."""
    return [found for text in texts for found in _targets(text)]


def choreography(text: str) -> Choreography:
    """The one protocol that a text means, whatever role it names."""
    found = {id(target.choreography): target.choreography for target in _targets(text)}
    if len(found) > 1:
        names = ", ".join(c.full_name for c in found.values())
        raise UsageError(f"{text} has several protocols: {names}", hint=FORMS)
    return next(iter(found.values()))


def value(text: str) -> object:
    """What stands in a module under a name: `shop:config`. Raises `UsageError`."""
    place, _, name = text.partition(":")
    module = _loaded(place)
    if name not in vars(module):
        raise UsageError(f"{place} has nothing called {name!r}", hint="write MODULE:NAME")
    return cast(object, vars(module)[name])


def registry(text: str | None) -> ExtensionRegistry | None:
    """What `--registry` names. Raises `UsageError`."""
    if text is None:
        return None
    found = value(text)
    if not isinstance(found, ExtensionRegistry):
        raise UsageError(f"{text} is no ExtensionRegistry", hint="name one: shop:registry")
    return found


def is_module(text: str) -> bool:
    """Whether a module could be called so."""
    return all(part.isidentifier() for part in text.split("."))


def _targets(text: str) -> list[Target]:
    place, _, name = text.partition(":")
    module = _loaded(place)
    known = {n: value for n, value in vars(module).items() if isinstance(value, Choreography)}
    if not name:
        served = [Target(c) for c in known.values() if c.implementations]
        return served or _refuse(f"{place} has no protocol with a role that could be played")
    first, _, role = name.partition(".")
    value = vars(module).get(first)
    if isinstance(value, Choreography):
        if role:
            value.require(role)
        return [Target(value, (role,) if role else ())]
    if callable(value) and not role:
        return _of_function(text, value, known.values())
    there = ", ".join(known) or "none"
    return _refuse(f"{place} has no protocol or role called {name}; its protocols: {there}")


def _of_function(text: str, function: object, known: Iterable[Choreography]) -> list[Target]:
    found = [
        Target(choreography, (role,))
        for choreography in known
        for role, playing in choreography.implementations.items()
        if playing is function
    ]
    return found or _refuse(f"{text} is registered for no role: put @PROTOCOL.role(...) before it")


def _refuse(problem: str) -> list[Target]:
    raise UsageError(problem, hint=FORMS)


def _loaded(place: str) -> ModuleType:
    """The user's module, by name from the present folder on, or by its file."""
    if not place:
        raise UsageError("which module?", hint=FORMS)
    file = Path(place) if place.endswith(".py") else None
    if file is not None and not file.is_file():
        raise UsageError(f"there is no file {place}", hint="check the path")
    folder = str(file.resolve().parent if file is not None else Path.cwd())
    if folder not in sys.path:
        sys.path.insert(0, folder)
    name = file.stem if file is not None else place
    if file is None and not is_module(name):
        raise UsageError(f"{name} is no name of a module", hint=FORMS)
    try:
        module = import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name.partition(".")[0] and error.name != name:
            raise _unloadable(place, error) from error
        raise UsageError(f"there is no module {name} in {folder}", hint=FORMS) from None
    except PavaneError:
        raise
    except (Exception, SystemExit) as error:
        raise _unloadable(place, error) from error
    if file is not None and Path(str(module.__file__)).resolve() != file.resolve():
        raise UsageError(
            f"{place} has the name of another module, {module.__file__}", hint="rename it"
        )
    return module


def _unloadable(place: str, error: BaseException) -> UsageError:
    """The user's own mistake, with the line of the user's own code."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if "importlib" not in f.filename]
    where = f" in {frames[-1].filename}, line {frames[-1].lineno}" if len(frames) > 1 else ""
    said = f": {error}" if str(error) else ""
    return UsageError(
        f"{place} cannot be loaded: {type(error).__name__}{said}{where}",
        hint="mend it; `python -c 'import ...'` shows the whole traceback",
    )
