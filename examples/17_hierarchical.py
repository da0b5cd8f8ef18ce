"""A hierarchy: coordinators over coordinators, and a worker whose work is a session of its own.

python examples/17_hierarchical.py
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pavane

FILE = Path(__file__).with_suffix(".choreo")
hierarchy = pavane.load(FILE, name="HierarchicalConsensus")
writing = pavane.load(FILE, name="Writing")

# --- the session below -------------------------------------------------------------------------


@writing.role("Editor")
async def editor(me: pavane.Endpoint) -> list[str]:
    await me.send("Topic", me.input)
    pages = await me.receive("Page")
    return [page.text for page in pages.values()]


@writing.role("Writer")
async def writer(me: pavane.Endpoint) -> None:
    topic = await me.receive("Topic")
    await me.send("Page", f"{topic.title}, page {me.index + 1}")


# --- the hierarchy above -----------------------------------------------------------------------


@hierarchy.role("TopCoordinator")
async def top(me: pavane.Endpoint) -> list[str]:
    await me.send("CoordinationRequest", "a book", to="SubCoordinator1")
    await me.send("CoordinationRequest", "a cover", to="SubCoordinator2")
    return list((await me.receive("SubCoordinatorResult")).pages)


@hierarchy.role("SubCoordinator1")
async def first(me: pavane.Endpoint) -> None:
    goal = (await me.receive("CoordinationRequest")).goal
    await me.send("WorkerRequest", f"text of {goal}", to="Worker1")
    await me.send("WorkerRequest", f"index of {goal}", to="Worker2")
    result = await me.receive("WorkerResult")
    await me.send("SubCoordinatorResult", result.pages)


@hierarchy.role("SubCoordinator2")
async def second(me: pavane.Endpoint) -> None:
    goal = (await me.receive("CoordinationRequest")).goal
    await me.send("WorkerRequest", f"front of {goal}", to="Worker3")
    await me.send("WorkerRequest", f"back of {goal}", to="Worker4")


@hierarchy.role("Worker2")
@hierarchy.role("Worker3")
@hierarchy.role("Worker4")
async def worker(me: pavane.Endpoint) -> str:
    return str((await me.receive("WorkerRequest")).task)


async def main() -> None:
    async with pavane.open() as runtime:
        foreman = pavane.delegated(
            "WorkerRequest",
            "WorkerResult",
            to=lambda request: pavane.SessionPlan(writing, input=request.task),
            result=lambda child: child["Editor"],
        )
        outcome = await runtime.run(hierarchy, Worker1=foreman)
        for page in outcome["TopCoordinator"]:
            print(page)
        print(f"charged {outcome.charged}; facts: {', '.join(sorted(outcome.facts))}")

        # A whole hierarchy is a phase like any other.
        flow = pavane.Sequence(
            hierarchy=pavane.SessionPlan(hierarchy, Worker1=foreman),
            reviews=lambda so_far: pavane.Parallel(
                *(
                    pavane.SessionPlan(writing, input=f"review of {page}")
                    for page in so_far["hierarchy"]["TopCoordinator"]
                )
            ),
        )
        done = await flow.run(runtime)
        pages = [page for review in done["reviews"].values() for page in review["Editor"]]
        print(f"{len(pages)} pages of reviews; the last: {pages[-1]}")


if __name__ == "__main__":
    asyncio.run(main())
