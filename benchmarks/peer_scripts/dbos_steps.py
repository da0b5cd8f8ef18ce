"""Steps a second of one DBOS workflow on SQLite: run by `benchmarks.steps` with DBOS's own Python.

python dbos_steps.py FOLDER COUNT
"""

from __future__ import annotations

import sys
import time
from importlib import import_module
from typing import Any


def main(folder: str, count: int) -> None:
    dbos: Any = import_module("dbos").DBOS
    dbos(
        config={
            "name": "steps",
            "system_database_url": f"sqlite:///{folder}/dbos.sqlite",
            "run_admin_server": False,
            "log_level": "ERROR",
        }
    )

    @dbos.step()  # type: ignore[untyped-decorator]
    def step(number: int) -> int:
        return number + 1

    @dbos.workflow()  # type: ignore[untyped-decorator]
    def flow(count: int) -> int:
        number = 0
        for _ in range(count):
            number = step(number)
        return number

    dbos.launch()
    flow(count // 10)
    begun = time.perf_counter()
    assert flow(count) == count
    print(count / (time.perf_counter() - begun))
    dbos.destroy()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
