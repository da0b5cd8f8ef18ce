"""Entries as a table for other tools: CSV, and Parquet where pyarrow is installed.

A table is for looking at. It has no heads, so it is neither verified nor read back.
"""

from __future__ import annotations

import csv
from collections.abc import AsyncIterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TextIO

from ..entry import Entry
from .archive import COLUMNS, row
from .errors import ParquetMissing

BATCH = 10_000
"""Rows of one group of a Parquet file; as many are held."""


async def write_csv(file: TextIO, entries: AsyncIterator[Entry]) -> int:
    """How many rows were written below the names."""
    table = csv.DictWriter(file, [name for name, _ in COLUMNS], lineterminator="\n")
    table.writeheader()
    count = 0
    async for entry in entries:
        table.writerow(row(entry))
        count += 1
    return count


async def write_parquet(path: Path, entries: AsyncIterator[Entry]) -> int:
    """How many rows were written. Raises `ParquetMissing` where pyarrow is not installed."""
    if find_spec("pyarrow") is None:
        raise ParquetMissing
    arrow: Any = import_module("pyarrow")
    types = {int: arrow.int64(), str: arrow.string()}
    schema = arrow.schema([(name, types[kind]) for name, kind in COLUMNS])
    count = 0
    with import_module("pyarrow.parquet").ParquetWriter(str(path), schema) as writer:
        rows: list[dict[str, Any]] = []
        async for entry in entries:
            rows.append(row(entry))
            count += 1
            if len(rows) == BATCH:
                writer.write_table(arrow.Table.from_pylist(rows, schema))
                rows.clear()
        writer.write_table(arrow.Table.from_pylist(rows, schema))
    return count
