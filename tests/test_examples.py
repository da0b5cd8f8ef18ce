"""Every example runs as a user would run it, and prints what it says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"

PRINTED = {
    "01_two_roles": ["the host said: Come in, Ada."],
    "02_choice": ["60: too low", "80: too low", "sold for 100"],
    "03_family": [
        "longer lunch breaks: 0 for, 1 against",
        "1 followers voted",
        "longer lunch breaks: 3 for, 2 against",
        "5 followers voted",
        "longer lunch breaks: 66 for, 34 against",
        "100 followers voted",
    ],
    "04_annotated": [
        "launched; charged 400; facts: launched, lifted_off",
        "denied: ",
        "the rocket waits: no permission",
        "on hold; charged 0; facts: none",
    ],
    "08_timeouts": [
        "quick: paid 120 after 0 reminders",
        "slow: paid 120 after 2 reminders",
        "forgotten: nobody decided within 0.8 s",
        "withdrawn: cancelled by the customer: I found the receipt",
    ],
    "09_secure": [
        "answered: you asked 'what is the time?'",
        "denied: Client lacks the capability secure:send_request: its token is refused, it is revoked",
        "denied: Client lacks the capability secure:send_request: its token does not grant it",
    ],
    "10_budgeted": [
        "denied: there is no leakage budget for neighbor observers in budgeted.BudgetedProtocol",
        "charged 350; Sender has spent 300 of 650",
        "charged 350; Sender has spent 600 of 650",
        "denied: the flow budget of Sender in budgeted.BudgetedProtocol is exhausted: 600 of 650",
        "the receipts of the last session prove 300",
        "charged 350; Sender has spent 300 of 650",
    ],
    "19_extended": [
        "denied: MaxBytes refused a message of Clerk: more than 20 bytes",
        "all is well; charged 105; facts: stamped_released",
        "without the registry: effect max_bytes has no handler at role Clerk",
    ],
    "20_layered": [
        "granted: bank:pay {'amount': 500}",
        "denied by office hours: it is closed",
        "charged 5 + 15 + 50 = 70",
        "refused by public; given back: project 6, user 2",
        "spent: 5, 15",
    ],
    "11_auditable": [
        "billed 3 times, last at entry 3 of its writer",
        "charges {'Client': 40, 'Shop': 20}; 15 entries by a snapshot, 5 read",
        "copy.jsonl: 20 entries, faults: 0",
        "forged.jsonl: 20 entries, faults: 1",
        "   altered at entry 1",
    ],
    "06_durable_order": [
        "process 1",
        "  walking to shelf 0",
        "  killed with -9",
        "process 2",
        "  walking to shelf 0",
        "  walking to shelf 1",
        "  killed with -9",
        "process 3",
        "  walking to shelf 1",
        "  walking to shelf 2",
        "  killed with -9",
        "process 4",
        "  walking to shelf 2",
        "  invoice ",
        "still the same: invoice ",
    ],
    "07_scaled_family": ["24 tiles, by ", "24 tiles, by ", "drained, exit code 0"],
    "12_two_versions": [
        "both are served",
        "  an old session: old buyer: Sorry",
        "  a new session: new buyer: Wait",
        "only the new one is served",
        "  a new session: new buyer: Wait",
        "and the old seller, who may not be replaced alone",
        "  an old session: new buyer: Sorry",
        "without him: examples.Sale: no worker serves Seller (Seller in version",
    ],
    "13_compensating": [
        "Ada: flight-10, car-10, hotel-1",
        (
            "Bob: compensated; hotel failed: RoleFailed: Agency raised SoldOut: no hotel left; "
            "undone: car, flight"
        ),
        "left: {'flight': 9, 'car': 9, 'hotel': 0}",
    ],
    "14_adapted": [
        "PAV: 50",
        "XYZ: none (XYZ)",
        "by letter: Quote 25",
        "refused: GetQuote.zip is unknown",
        "refused: kiosk:gossip: the bridge does not know it",
        "not mapped: quantity, currency, qty, fax",
    ],
    "15_resilient": [
        "payment 3; the circuit is closed",
        "RoleFailed; the circuit is open",
        "CircuitOpen; the circuit is open",
        "payment 7; the circuit is closed",
        "the bank was called 7 times",
    ],
    "16_programs": [
        "Alice: completed ['Welcome', 'Taken', 'Taken', 'Full']",
        "refused: the program of Alice departs from its protocol at operation 1.1, send Bob!Parcel",
        "alone: completed ['Hello', 'Parcel', 'Done']",
    ],
    "17_hierarchical": [
        "text of a book, page 1",
        "text of a book, page 2",
        "text of a book, page 3",
        (
            "charged 1480; facts: sub_results_aggregated, top_coordination_started, "
            "work_completed, worker_coordination_started"
        ),
        "9 pages of reviews; the last: review of text of a book, page 3, page 3",
    ],
    "18_simulated": [
        "one session: tea",
        "0.0",
        "sessions: 100 of which done: 100",
        "went wrong: None",
    ],
    "05_typed": [
        "after 0 rounds: bought for 70, sealed by witness 0, witness 1",
        "after 3 rounds: not bought: too low",
    ],
}


def test_every_example_is_listed_here() -> None:
    assert sorted(path.stem for path in EXAMPLES.glob("*.py")) == sorted(PRINTED)


@pytest.mark.parametrize("name", PRINTED)
def test_an_example_runs_and_prints(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", EXAMPLES / f"{name}.py"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert len(lines) == len(PRINTED[name])
    for line, wanted in zip(lines, PRINTED[name], strict=True):
        assert line.startswith(wanted)
