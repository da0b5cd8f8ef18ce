"""Two versions of a protocol: which roles of one can take part in sessions of the other.

compare(old, new).roles["Buyer"].verdict
"""

from __future__ import annotations

from .compare import Comparison, RoleComparison, Verdict, compare
from .difference import Difference, Kind

__all__ = ["Comparison", "Difference", "Kind", "RoleComparison", "Verdict", "compare"]
