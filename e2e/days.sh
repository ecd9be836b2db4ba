#!/usr/bin/env bash
# The usual days of five people, on phone and desktop, in both languages, in a real browser. See days.py.
set -euo pipefail
here="$(dirname -- "${BASH_SOURCE[0]}")"
# The versions of the lock file, each proven by its hash; nothing of them runs while they are installed.
if ! (cd "$here/days" && npm ls --silent >/dev/null 2>&1); then
    (cd "$here/days" && npm ci --silent --ignore-scripts --no-audit --no-fund)
fi
exec python3 -B "$here/days.py" "$@"
