"""What asks the command to end: Ctrl-C, SIGTERM, a terminal that is closed.

Each is heeded once. Whoever presses Ctrl-C three times means the same as once, and what was
opened has to be closed in peace.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Coroutine
from types import FrameType
from typing import Any, TypeVar

T = TypeVar("T")

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)

Handler = Callable[[int, FrameType | None], None]


class Terminated(BaseException):
    """A signal of `ENDING` arrived; nobody but the command line may catch it."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


def heed() -> None:
    """From now on Ctrl-C raises `Terminated` in the main thread; while a module is being loaded
    it ends the process, since Python would write of what it cannot pass on."""
    _replace(signal.SIGINT, _interrupt)


def ignore() -> None:
    """Hear of none of them any more: the command is about to end anyway."""
    for number in ENDING:
        signal.signal(number, signal.SIG_IGN)


def attend(hear: Callable[[str], None]) -> None:
    """From now on call `hear` with the name of each, in the main thread, wherever that stands. A
    process that is forked off does not attend to them."""
    owner = os.getpid()

    def heard(number: int, _frame: FrameType | None) -> None:
        if os.getpid() == owner:
            hear(signal.Signals(number).name)
        else:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)

    for number in ENDING:
        _replace(number, heard)


async def until_ended(main: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run `main` in the current task; the first signal cancels it, so that what it has opened is
    closed, and `Terminated` is raised then."""
    import asyncio  # here, since most verbs run nothing, and it takes a moment to load

    task = asyncio.current_task()
    assert task is not None
    loop = asyncio.get_running_loop()
    arrived: list[int] = []

    def end(number: int, _frame: FrameType | None) -> None:
        if not arrived:
            arrived.append(number)
            loop.call_soon_threadsafe(task.cancel)

    before = {number: signal.getsignal(number) for number in ENDING}
    for number in ENDING:
        _replace(number, end)
    try:
        result = await main()
    except asyncio.CancelledError:
        if not arrived:
            raise
        raise Terminated(arrived[0]) from None
    finally:
        if arrived:
            ignore()
        else:
            for number, handler in before.items():
                signal.signal(number, handler)
    if arrived:
        raise Terminated(arrived[0])
    return result


def _replace(number: int, handler: Handler) -> None:
    """What the caller has us ignore (`nohup`, `&` in a script) stays ignored."""
    if signal.getsignal(number) is not signal.SIG_IGN:
        signal.signal(number, handler)


def _interrupt(number: int, frame: FrameType | None) -> None:
    signal.signal(number, signal.SIG_IGN)
    if _is_loading(frame):
        os.write(sys.__stderr__.fileno() if sys.__stderr__ else 2, b"\nInterrupted.\n")
        os._exit(128 + number)
    raise Terminated(number)


def _is_loading(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False
