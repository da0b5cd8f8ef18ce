#!/bin/sh
# Print the first Python that Pavane can use, or say what is missing.
# A name on the PATH may be a shim for a version that is not there, so each one is run.
usable='import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))'
for name in ${PYTHON:-python3.13 python3.12 python3.11 python3 python}; do
    if "$name" -c "$usable" >/dev/null 2>&1; then
        command -v "$name"
        exit 0
    fi
done
{
    echo "Pavane needs Python 3.11 or newer with the venv module, and found none that works."
    found=$(python3 --version 2>&1) && echo "  python3 here is: $found"
    echo "  Install Python 3.11 or newer (on Debian and Ubuntu also the package python3-venv),"
    echo "  or name one: make setup PYTHON=/path/to/python3.12"
} >&2
exit 1
