"""One record of a stream, asked for in a form that permissions can tell apart.

`STREAM.MSG.GET` names its record in the body, which no permission sees: who may use it reads the
whole stream. A consumer that is made with its filter in the subject can be permitted for some
records and no others (NATS ADR-42). It takes two round trips in place of one. A direct
get has its filter in the subject too, but answers with the record's bytes alone, so that who may
write a record could have the server say it, under any subject, as if somebody else did.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from typing import Any

from ..errors import Unconfirmed
from . import api as apis
from .api import Api
from .inbox import ATTEMPT, Delivery, NoAnswer
from .library import Msg
from .link import Link

_FORGET = 5.0
"""Seconds after which the server forgets a consumer that nobody asks any more."""
_BETWEEN = 0.05


async def glance(
    link: Link, api: Api, stream: str, pattern: str, start: int | None = None
) -> Delivery | None:
    """The last record on `pattern`, or the first from the sequence `start` on, or None.

    In a cluster the answer may come from a replica that lags behind. Raises `StreamRefused`,
    `Forbidden`, `Unconfirmed` or `NotConnected`.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + apis.PATIENCE
    while True:
        name = f"look-{secrets.token_hex(8)}"
        answer = await api.call(
            f"CONSUMER.CREATE.{stream}.{name}.{pattern}",
            _request(stream, name, pattern, start),
            stream=stream,
        )
        if not answer.get("num_pending"):
            return None
        try:
            return await _pull(link, stream, name)
        except NoAnswer:
            if loop.time() >= deadline:
                raise Unconfirmed(f"read of {pattern}", apis.PATIENCE) from None
            await asyncio.sleep(_BETWEEN)


def _request(stream: str, name: str, pattern: str, start: int | None) -> dict[str, Any]:
    begin: dict[str, Any] = {"deliver_policy": "last"}
    if start is not None:
        begin = {"deliver_policy": "by_start_sequence", "opt_start_seq": start}
    config = {
        "name": name,
        "filter_subject": pattern,
        "ack_policy": "none",
        "mem_storage": True,
        "num_replicas": 1,
        "inactive_threshold": int(_FORGET * 1e9),
        **begin,
    }
    return {"stream_name": stream, "config": config, "action": "create"}


async def _pull(link: Link, stream: str, name: str) -> Delivery:
    """Raises `NoAnswer`, or `NotConnected`."""
    future: asyncio.Future[Delivery] = asyncio.get_running_loop().create_future()
    reply = link.inbox.listen(lambda msg: _failed(future, msg))
    link.inbox.consume(f"{stream}.{name}", lambda delivery: _came(future, delivery))
    body = json.dumps({"batch": 1, "expires": int(ATTEMPT * 1e9)}).encode()
    try:
        link.send(f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{name}", body, reply)
        async with asyncio.timeout(ATTEMPT):
            return await future
    except TimeoutError:
        raise NoAnswer("no answer in time") from None
    finally:
        link.inbox.unlisten(reply)
        link.inbox.forgo(f"{stream}.{name}")


def _came(future: asyncio.Future[Delivery], delivery: Delivery) -> None:
    if not future.done():
        future.set_result(delivery)


def _failed(future: asyncio.Future[Delivery], msg: Msg) -> None:
    if not future.done():
        future.set_exception(NoAnswer(apis.status(msg)))
