#!/bin/sh
# Resolve the ranges of pyproject.toml in a clean environment and write exact pins:
# run.lock for what a user runs (and the build tools), dev.lock and docs.lock on top of it.
# Resolve with the oldest Python that is supported, since a newer one may choose releases that
# the oldest cannot install: make lock PYTHON=python3.11
set -eu
python=$1
here=$(dirname "$0")
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT INT TERM
"$python" -m venv "$place/venv"
pip="$place/venv/bin/python -m pip -qq --disable-pip-version-check --no-input"

write() {
    { echo "# Written by make lock; every version exactly as CI installs it."
      $pip freeze --all --exclude-editable | grep -Ev '^(pip|pavane)=='; } >"$here/$1.lock"
    echo "wrote requirements/$1.lock"
}

$pip install --upgrade pip
$pip install "setuptools>=77" -e "$here/..[fast]"
write run
$pip install --group "$here/../pyproject.toml:dev"
write dev
$pip uninstall --yes $($pip freeze --exclude-editable | sed 's/==.*//')
$pip install --group "$here/../pyproject.toml:fuzz"
write fuzz
$pip uninstall --yes $($pip freeze --exclude-editable | sed 's/==.*//')
$pip install -r "$here/run.lock" -e "$here/..[docs]"
write docs
