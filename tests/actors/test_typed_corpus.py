"""Generated states against the runtime: every method they have is a step that is allowed.

Programs that know nothing of a protocol walk through its generated classes, taking any method
of the state they are in. The monitor checks each step, so a class that allowed too much would
raise, and one that allowed too little would leave its role unfinished.
"""

from __future__ import annotations

import asyncio
import importlib.util
import inspect
import json
import random
import types
import typing
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, cast

import pytest

import pavane
from pavane.actors.endpoint.typed import Done, Got, State
from pavane.language.compiler import Compiled, compile_text
from pavane.language.generate import generate

DATA = Path(__file__).parents[1] / "data"
GUIDE = sorted((DATA / "guide").glob("*.choreo"))
PROJECTIONS = sorted((DATA.parent / "language" / "projections").glob("*.choreo"))
MISJUDGED = ("19d1aba65ea1", "f97ddcf8dff6")
ROWS = [
    row
    for line in (DATA / "corpus" / "protocols.jsonl").read_text().splitlines()
    if (row := json.loads(line))["verdict"] == "accept" and row["id"] not in MISJUDGED
]
STEPS = 80
"""Steps after which a protocol without an end has shown that it goes on."""

SAMPLES: dict[Any, Any] = {
    int: 7, str: "x", float: 1.5, bool: True, bytes: b"x", type(None): None, Any: None
}  # fmt: skip


class Enough(Exception):
    """This role has walked far enough."""


def sample(annotation: Any) -> Any:
    """A value of an annotated type."""
    if annotation in SAMPLES:
        return SAMPLES[annotation]
    arguments = typing.get_args(annotation)
    match typing.get_origin(annotation) or annotation:
        case typing.Union | types.UnionType:
            return sample(arguments[0])
        case builtin if builtin is list:
            return [sample(arguments[0])]
        case builtin if builtin is set:
            return {sample(arguments[0])}
        case builtin if builtin is tuple:
            return tuple(sample(one) for one in arguments)
        case builtin if builtin is dict:
            return {"Ok": sample(arguments[1])}
        case _:
            raise AssertionError(f"no sample of {annotation}")


class Walker:
    """Takes any method that a state has, until the end or until it is enough."""

    def __init__(self, seed: str) -> None:
        self._rng = random.Random(seed)
        self._steps = 0

    async def __call__(self, state: State | Done) -> Done:
        while isinstance(state, State):
            self._steps += 1
            if self._steps > STEPS:
                raise Enough
            state = await self._step(state)
        return state

    async def _step(self, state: State) -> State | Done:
        verbs = ("send_", "choose_", "receive_", "offer", "finish")
        methods = [name for name in vars(type(state)) if name.startswith(verbs)]
        assert methods, f"{state!r} has no way on"
        while methods:
            name = methods.pop(self._rng.randrange(len(methods)))
            if "set" in vars(type(state)):
                self._value_guards(state)
            try:
                return await self._take(state, name)
            except (pavane.GuardRefused, pavane.TooEarly):
                continue
        raise Enough

    def _value_guards(self, state: State) -> None:
        method: Any = vars(type(state))["set"]
        values: Any = typing.get_args(typing.get_type_hints(method)["values"])[0]
        names: list[str] = list(values.__annotations__)
        method(state, **{name: self._rng.randint(0, 9) for name in names})

    async def _take(self, state: State, name: str) -> State | Done:
        method: Any = getattr(state, name)
        hints = typing.get_type_hints(method)
        expected = hints.pop("return")
        given = {one: sample(annotation) for one, annotation in hints.items()}
        result = method(**given)
        found = await result if inspect.isawaitable(result) else result
        assert_is_a(found, expected)
        after: State | Done = following(found)
        return after


def following(found: Any) -> Any:
    """The state in what a step returned."""
    if isinstance(found, tuple):
        return cast("tuple[Any, Any]", found)[1]
    return getattr(found, "then", found)


def assert_is_a(found: Any, expected: Any) -> None:
    """What a step returned is what its annotation says."""
    origin, arguments = typing.get_origin(expected), typing.get_args(expected)
    if expected is Any:
        return
    if origin in (typing.Union, types.UnionType):
        fitting = [one for one in arguments if isinstance(found, typing.get_origin(one) or one)]
        assert len(fitting) == 1, (found, expected)
        assert_is_a(found, fitting[0])
    elif origin is tuple:
        for one, type_ in zip(found, arguments, strict=True):
            assert_is_a(one, type_)
    elif origin is not None and issubclass(origin, Got):
        got: Got[Any, Any] = found
        assert type(got) is origin
        assert_is_a(got.payload, arguments[0])
        assert_is_a(got.then, arguments[1])
    elif origin is dict:
        assert isinstance(found, dict)
    else:
        assert isinstance(found, origin or expected), (found, expected)


def load(text: str, name: str, folder: Path) -> Any:
    file = folder / f"{name}.py"
    file.write_text(text)
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def playable(module: Any, role: str, seed: str) -> Any:
    """The role's function over walkers, one for each class of instances."""

    def walker() -> Callable[[Any], Awaitable[Done]]:
        return lambda state: Walker(f"{seed}/{state!r}")(state)

    function: Any
    (function,) = [
        one
        for _, one in inspect.getmembers(module, inspect.isfunction)
        if f"`run(..., {role}=...)`" in (one.__doc__ or "")
    ]
    parameters = list(inspect.signature(function).parameters.values())
    if any(one.kind is one.POSITIONAL_ONLY for one in parameters):
        return function(walker())
    return function(**{one.name: walker() for one in parameters})


def counts(compiled: Compiled, size: int = 4, bound: int = 2) -> dict[str, int]:
    bounds = dict.fromkeys(compiled.open_bounds, bound)
    return bounds | dict.fromkeys(compiled.open_counts.values(), size)


async def walk(
    compiled: Compiled, folder: Path, seed: int, bindings: dict[str, int] | None = None
) -> bool:
    """Whether the protocol ended; a violation is raised."""
    (module,) = generate([compiled])
    typed = load(module.text, f"generated_{module.path[-1]}", folder)
    choreography = pavane.Choreography(compiled)
    roles = {role: playable(typed, role, f"{seed}") for role in choreography.roles}
    async with pavane.for_testing() as runtime, asyncio.timeout(30):
        try:
            await runtime.run(choreography, roles, bindings=bindings or counts(compiled))
        except pavane.RoleFailed as failed:
            if isinstance(failed.__cause__, Enough):
                return False
            raise
    return True


@pytest.mark.parametrize("file", GUIDE, ids=lambda file: file.stem)
async def test_a25_the_guides_protocols_run_over_generated_states(
    file: Path, tmp_path: Path
) -> None:
    (compiled,) = compile_text(file.read_text(), file.name)
    for seed in range(3):
        assert await walk(compiled, tmp_path, seed), file.name


@pytest.fixture
async def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the loop's time pass ten times as slowly. A machine that is so busy that a walker is
    late for the protocol's seconds says nothing about generated states."""
    loop = asyncio.get_running_loop()
    time = loop.time
    begun = time()
    monkeypatch.setattr(loop, "time", lambda: begun + (time() - begun) / 10)


@pytest.mark.usefixtures("patience")
@pytest.mark.parametrize("file", PROJECTIONS, ids=lambda file: file.stem)
async def test_every_construct_runs_over_generated_states(file: Path, tmp_path: Path) -> None:
    for compiled in compile_text(file.read_text(), file.name):
        ended = [await walk(compiled, tmp_path, seed) for seed in range(5)]
        assert any(ended), file.name


SMALL = """
protocol Rounds { roles: A, B;
  loop (count: n) { A -> B: X; loop (count: m) { B -> A: Y(int); } }
  loop (count: m) { A -> B: X; }
  B -> A: End; }
protocol Alike { roles: A, B;
  loop (count: n) { A -> B: X; } A -> B: X; loop (count: m) { A -> B: X; } A -> B: X; B -> A: Y; }
protocol Part { roles: C, S[N];
  C -> S[*]: Request; S[0..n] -> C: Response(str);
  loop (count: m) { C -> S[*]: More; S[0..n] -> C: Again; } }
"""


@pytest.mark.parametrize("bindings", [(1, 0, 0), (1, 1, 0), (2, 0, 1), (3, 2, 3), (3, 3, 1)])
async def test_one_module_is_good_for_all_counts(
    bindings: tuple[int, int, int], tmp_path: Path
) -> None:
    """Also for those that leave nothing of a loop or of a class of instances."""
    for compiled in compile_text(SMALL):
        known = {*compiled.open_counts.values(), *compiled.open_bounds}
        values = dict(zip("Nnm", bindings, strict=True))
        own = {name: value for name, value in values.items() if name in known}
        assert await walk(compiled, tmp_path, 1, own), compiled.name


@pytest.mark.parametrize("part", range(4))
async def test_the_corpus_runs_over_generated_states(part: int, tmp_path: Path) -> None:
    ended = 0
    for seed, row in enumerate(ROWS[part::4]):
        for compiled in compile_text(row["dsl"], row["id"]):
            try:
                ended += await walk(compiled, tmp_path, seed)
            except Exception as error:
                error.add_note(row["id"])
                raise
    assert ended > len(ROWS) // 12
