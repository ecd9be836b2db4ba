#!/usr/bin/env bash
# Passkeys in a real browser. See browser.py.
set -euo pipefail
exec python3 -B "$(dirname -- "${BASH_SOURCE[0]}")/browser.py" "$@"
