#!/usr/bin/env bash
# Everything about the Python package from scratch: a new environment, build, tests.
set -euo pipefail
cd "$(dirname "$0")"

# What an earlier build left there would go into the wheel.
rm -rf build
venv=$(mktemp -d)
trap 'rm -rf "$venv"' EXIT
python3 -m venv "$venv"
"$venv/bin/pip" install --quiet --upgrade pip
"$venv/bin/pip" install '.[test]'
# Not from this folder, whose sources have no library.
tests=$PWD/tests
cd "$venv"
"$venv/bin/python" -m pytest -p no:cacheprovider "$tests" "$@"
