#!/usr/bin/env bash
# Kills the server at random moments under load and compares what is there. See kill.py.
set -euo pipefail
exec python3 -B "$(dirname -- "${BASH_SOURCE[0]}")/kill.py" "$@"
