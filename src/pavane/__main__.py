"""`python -m pavane` is the command `pavane`."""

from __future__ import annotations

from pavane_command import main

if __name__ == "__main__":
    main()
