"""Generated modules under mypy and pyright in strict mode, with programs that are right and wrong.

Each checker runs once, over the modules of all sixteen guide protocols and some that use more of
the language, and over the programs below. A line that a checker must refuse ends in `# wrong`;
it may refuse no other.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from pavane.language.compiler import compile_text
from pavane.language.generate import generate

TESTS = Path(__file__).parents[1]
PROTOCOLS = [
    *sorted((TESTS / "data" / "guide").glob("*.choreo")),
    *sorted((TESTS / "language" / "projections").glob("*.choreo")),
]
BINARIES = Path(sys.executable).parent
Place = tuple[str, int]

SHOP = """
#[namespace = "shop"]
protocol Sale { roles: Buyer, Seller;
  Buyer -> Seller: Offer(price: int, item: str);
  choice Seller {
    accept { Seller -> Buyer: Accept(); }
    reject { Seller -> Buyer: Reject(reason: str); }
  }
  Buyer -> Seller: Thanks(str);
}
#[namespace = "shop.team"]
protocol Poll { roles: Leader, Voters[N];
  loop (count: rounds) {
    Leader -> Voters[*]: Question(text: str);
    Voters[i] -> Leader: Answer(yes: bool);
  }
  Voters[0..few] -> Leader: Reason(list[str]);
}
protocol Words { roles: A, B;
  A -> B: Import(class: int, str: str, me: float, self: Option<Vec<u8>>, from: Custom);
  B -> A: Types(HashMap<String, i32>, Result<i32, Custom>, tuple[int, ...], set[str], char);
  A -> B: LongPayload(first_field_of_many: dict[str, list[int]], second_field_of_many: list[str]);
  choice B {
    aVeryLongNameOfABranchThatGoesOnAndOn { B -> A: AVeryLongNameOfAMessageThatGoesOnAndOn(x: int); }
    another { B -> A: AnotherVeryLongNameOfAMessageThatGoesOnAndOn(HashMap<String, Vec<HashMap<String, i64>>>); }
  }
}
protocol Guarded { roles: C, S;
  choice C { buy when (balance > price): { C -> S: Buy(int); } leave { C -> S: Leave; } }
}
protocol Clash { roles: State, Done, Str, list, Offer;
  State -> Done: Any(x: int); Done -> Str: Offer(State: int); Str -> list: Got; list -> Offer: offer(y: int);
}
"""

PROGRAMS = {
    "good": """
from typing import assert_never

import threshold_protocol
from shop import sale
from shop.team import poll


@sale.buyer
async def buyer(me: sale.Buyer) -> sale.Done:
    asked = await me.send_offer(price=80, item="lamp")
    match await asked.offer():
        case sale.GotAccept(then=thanking):
            pass
        case sale.GotReject(payload, thanking):
            reason: str = payload.reason
            print(reason)
        case _ as other:
            assert_never(other)
    return await thanking.send_thanks("bye")


@sale.seller
async def seller(me: sale.Seller) -> sale.Done:
    offer, deciding = await me.receive_offer()
    thanked = await (
        deciding.send_accept() if offer.price > 50 else deciding.send_reject(reason=offer.item)
    )
    thanks, done = await thanked.receive_thanks()
    return done.returning(thanks.upper())


async def leader(me: poll.Leader) -> poll.Done:
    turn: poll.Leader | poll.LeaderAwaitsReason = me
    while isinstance(turn, poll.LeaderSendsQuestion):
        waiting = await turn.send_question("why?")
        answers, turn = await waiting.receive_answer()
        print(all(answer.yes for answer in answers.values()))
    reasons, done = await turn.receive_reason()
    return done.returning([len(reason) for reason in reasons.values()])


async def refuse(me: threshold_protocol.SignersFromThreshold) -> threshold_protocol.Done:
    _, done = await me.receive_request()
    return done


poll_leader = poll.leader(leader)
bound: dict[str, int] = poll.bindings(N=3, few=1, rounds=2)
""",
    "off_protocol": """
from shop import sale


@sale.seller
async def seller(me: sale.Seller) -> sale.Done:
    await me.send_accept()  # wrong
    _, deciding = await me.receive_offer()
    return await deciding.send_thanks("no")  # wrong


async def buyer(me: sale.Buyer) -> sale.Done:
    asked = await me.send_offer("80", "lamp")  # wrong
    return (await asked.receive_accept())[1]  # wrong
""",
    "unhandled": """
from typing import assert_never

from shop import sale


async def buyer(me: sale.Buyer) -> sale.Done:
    asked = await me.send_offer(80, "lamp")
    match await asked.offer():
        case sale.GotAccept(then=thanking):
            return await thanking.send_thanks("bye")
        case _ as other:
            assert_never(other)  # wrong


async def silent(me: sale.Buyer) -> sale.Done:  # wrong
    asked = await me.send_offer(80, "lamp")
    got = await asked.offer()
    if isinstance(got, sale.GotReject):
        return await got.then.send_thanks("bye")
""",
    "forgotten": """
import threshold_protocol
from shop import sale
from shop.team import poll


async def early(me: sale.Seller) -> sale.Done:
    _, deciding = await me.receive_offer()
    return await deciding.send_accept()  # wrong


async def nothing(me: sale.Buyer) -> None:
    await me.send_offer(80, "lamp")


role = sale.buyer(nothing)  # wrong
other = sale.seller(early)
mixed = threshold_protocol.coordinator(early)  # wrong


async def late(me: threshold_protocol.SignersUpToThreshold) -> threshold_protocol.Done:
    _, answering = await me.receive_request()
    return await answering.send_response()


half = threshold_protocol.signers(signers_up_to_threshold=late)  # wrong


async def once(me: poll.Leader) -> poll.Done:
    if isinstance(me, poll.LeaderSendsQuestion):
        waiting = await me.send_question("why?")
        _, turn = await waiting.receive_answer()
        return (await turn.receive_reason())[1]  # wrong
    _, done = await me.receive_reason()
    return done


bound = poll.bindings(N=3)  # wrong
""",
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with all the modules and programs."""
    folder = tmp_path_factory.mktemp("project")
    files = [(file.read_text(), file.name) for file in PROTOCOLS]
    for text, name in [*files, (SHOP, "shop.choreo")]:
        for module in generate(compile_text(text, name)):
            file = folder / module.file
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(module.text)
            for length in range(1, len(module.path)):
                folder.joinpath(*module.path[:length], "__init__.py").touch()
    for name, program in PROGRAMS.items():
        (folder / f"{name}.py").write_text(f"from __future__ import annotations\n{program}")
    (folder / "pyrightconfig.json").write_text('{"typeCheckingMode": "strict"}')
    return folder


def run(folder: Path, tool: str, *words: str | Path) -> subprocess.CompletedProcess[str]:
    command: list[str | Path] = [BINARIES / tool, *words]
    return subprocess.run(
        command, cwd=folder, check=False, capture_output=True, text=True, timeout=300
    )


@pytest.fixture(scope="module")
def mypy(project: Path) -> set[Place]:
    """Where mypy finds something wrong."""
    done = run(project, "mypy", "--strict", "--no-error-summary", "--cache-dir=.cache", ".")
    assert done.returncode in (0, 1), done.stderr
    found = re.findall(r"^(\S+?):(\d+): error", done.stdout, re.MULTILINE)
    return {(str(Path(file)), int(line)) for file, line in found}


@pytest.fixture(scope="module")
def pyright(project: Path) -> set[Place]:
    """Where pyright finds something wrong."""
    done = run(project, "pyright", "--pythonpath", sys.executable, "--outputjson", "-p", ".")
    found = json.loads(done.stdout)["generalDiagnostics"]
    return {
        (str(Path(one["file"]).resolve().relative_to(project.resolve())), line + 1)
        for one in found
        for line in [one["range"]["start"]["line"]]
    }


def wrong(project: Path, name: str) -> set[Place]:
    lines = (project / f"{name}.py").read_text().splitlines()
    return {(f"{name}.py", n) for n, line in enumerate(lines, start=1) if "# wrong" in line}


@pytest.mark.parametrize("checker", ["mypy", "pyright"])
def test_a25_generated_modules_and_right_programs_pass_in_strict_mode(
    checker: str, request: pytest.FixtureRequest
) -> None:
    found: set[Place] = request.getfixturevalue(checker)
    assert {place for place in found if place[0].removesuffix(".py") not in PROGRAMS} == set()
    assert {place for place in found if place[0] == "good.py"} == set()


@pytest.mark.parametrize("checker", ["mypy", "pyright"])
@pytest.mark.parametrize("name", ["off_protocol", "unhandled", "forgotten"])
def test_a25_a_wrong_program_is_refused_at_its_wrong_lines(
    name: str, checker: str, project: Path, request: pytest.FixtureRequest
) -> None:
    found: set[Place] = request.getfixturevalue(checker)
    expected = wrong(project, name)
    assert expected
    assert {place for place in found if place[0] == f"{name}.py"} == expected


def test_generated_modules_are_formatted_whatever_the_line_length(project: Path) -> None:
    modules = [p for p in project.rglob("*.py") if p.stem not in PROGRAMS]
    for length in ("88", "100", "120"):
        done = run(
            project, "ruff", "format", "--isolated", "--check", "--line-length", length, *modules
        )
        assert done.returncode == 0, done.stdout
