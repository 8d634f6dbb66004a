#!/bin/sh
# Make .venv once; do nothing when it is up to date. Usage: sh scripts/venv.sh EXTRAS
# Used by demo.sh and test.sh. ECOTONE_VENV names another place for the environment.
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
venv=${ECOTONE_VENV:-$here/.venv}
extras=${1:?"usage: venv.sh EXTRAS, such as lm,trees"}
want=$(cat "$here/pyproject.toml" "$here/constraints.txt" | cksum | tr -d ' ')-$extras
for stamp in "$venv"/.stamp-*; do
    [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$want" ] && exit 0
done
echo "setting up $venv (once; a few minutes)" >&2
[ -x "$venv/bin/python" ] || python3 -m venv "$venv"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    -c "$here/constraints.txt" -e "$here[$extras]"
echo "$want" > "$venv/.stamp-$extras"
