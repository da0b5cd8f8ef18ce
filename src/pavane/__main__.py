"""`python -m pavane` is the command `pavane`."""

from __future__ import annotations

from .cli import main

if __name__ == "__main__":
    main()
