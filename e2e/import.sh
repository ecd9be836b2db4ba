#!/usr/bin/env bash
# Imports of good and broken files. See import.py.
set -euo pipefail
exec python3 -B "$(dirname -- "${BASH_SOURCE[0]}")/import.py" "$@"
