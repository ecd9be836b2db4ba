#!/usr/bin/env bash
# Signing in by a real OpenID Connect provider, in a real browser. See single_sign_on.py.
set -euo pipefail
here="$(dirname -- "${BASH_SOURCE[0]}")"
# The versions of the lock file, each proven by its hash; nothing of them runs while they are installed.
if ! (cd "$here/provider" && npm ls --silent >/dev/null 2>&1); then
    (cd "$here/provider" && npm ci --silent --ignore-scripts --no-audit --no-fund)
fi
exec python3 -B "$here/single_sign_on.py" "$@"
