#!/bin/sh
# The tests. Usage: sh scripts/test.sh [--slow] [words for pytest]
# Left out unless asked for: slow (minutes; --slow), real (fetches data; -m real), net. Tests of the
# report in a browser run where Chromium and its driver are.
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
cd "$here"
sh scripts/venv.sh lm,trees,ot,test
without="not real and not net"
if [ "${1:-}" = "--slow" ]; then
    shift
else
    without="$without and not slow"
fi
browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)
if [ -z "$browser" ] || ! command -v chromedriver >/dev/null; then
    without="$without and not browser"
    echo "no Chromium with its driver: the tests of the report in a browser are left out" >&2
fi
exec "${ECOTONE_VENV:-$here/.venv}/bin/python" -m pytest -q -m "$without" "$@"
