"""Authority from elsewhere: tokens issued, handed on with less, stolen in vain, and revoked.

python examples/09_secure.py
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pavane

secure = pavane.load(Path(__file__).with_suffix(".choreo"))


@secure.role("Client")
async def client(me: pavane.Endpoint) -> str:
    await me.send("Request", question="what is the time?")
    response = await me.receive("Response")
    return str(response.answer)


@secure.role("Server")
async def server(me: pavane.Endpoint) -> None:
    request = await me.receive("Request")
    await me.send("Response", answer=f"you asked {request.question!r}")


async def ask(runtime: pavane.Runtime) -> None:
    try:
        outcome = await runtime.run(secure)
    except pavane.CapabilityDenied as denied:
        print("denied:", denied.message)
    else:
        print("answered:", outcome["Client"])


async def main() -> None:
    # In a deployment the authority's key is kept apart (`pavane capability keygen`, `issue`),
    # and a runtime knows no more of it than `authority.public`.
    authority = pavane.Authority()
    hour = pavane.TokenLimits(protocols=["SecureProtocol"], expires=time.time() + 3600)
    everything = authority.grant(["secure:send_request", "secure:process_request"], hour)

    # Whoever has a token hands on a part of it, without the authority and without a network.
    asks = pavane.narrowed(
        everything, authority.public, limits=pavane.TokenLimits(roles=["Client"])
    )
    answers = pavane.narrowed(everything, authority.public, capabilities=["secure:process_request"])

    tokens = {"Client": asks, "Server": answers}
    async with pavane.open(tokens=tokens, root_key=authority.public) as runtime:
        await ask(runtime)

        # A revocation reaches every process that uses this server, also in the middle of a session.
        revocations = pavane.Revocations(runtime.broker, authority.public)
        ids = pavane.Verifier(authority.public).ids(asks)
        await revocations.revoke(ids[-1:], authority.key, reason="the laptop was lost")
        await asyncio.sleep(0.2)
        await ask(runtime)

    # The server's token allows to answer only, whoever shows it.
    tokens = {"Client": answers, "Server": answers}
    async with pavane.open(tokens=tokens, root_key=authority.public) as runtime:
        await ask(runtime)


if __name__ == "__main__":
    asyncio.run(main())
