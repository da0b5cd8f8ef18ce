"""The coverage-guided fuzzer: atheris over everything that reads a text.

    python -m fuzz.fuzz_language -runs=250000 [corpus folder]

The options are libFuzzer's. Inputs are read as texts but for the first byte; where that is `g` or
`d` they seed the grammar, or the damage done to what it writes. Exits with 77 where atheris is not
installed.
"""

from __future__ import annotations

import random
import sys
from importlib import import_module
from importlib.util import find_spec
from typing import Any

SKIPPED = 77


def main() -> int:
    if find_spec("atheris") is None:
        print("skipped: atheris is not installed, and has no wheel for every system")
        return SKIPPED
    atheris: Any = import_module("atheris")
    with atheris.instrument_imports(include=["pavane.language"]):
        survives = import_module(".survive", __package__).survives
    texts = import_module(".texts", __package__)

    def one(data: bytes) -> None:
        text = data[1:].decode("utf-8", "surrogateescape")
        if data[:1] in (b"g", b"d"):
            rng = random.Random(data[1:])
            text = texts.protocol(rng)
            if data[:1] == b"d":
                text = texts.damaged(rng, text)
        survives(text)

    atheris.Setup([sys.argv[0], *_options(sys.argv[1:])], one)
    atheris.Fuzz()
    return 0


def _options(given: list[str]) -> list[str]:
    """What the user wants, and bounds for each input: a minute, 4 KiB, 2 GiB of memory."""
    names = {option.split("=")[0] for option in given}
    bounds = ("-timeout=60", "-max_len=4096", "-rss_limit_mb=2048")
    return [*(b for b in bounds if b.split("=")[0] not in names), *given]


if __name__ == "__main__":
    sys.exit(main())
