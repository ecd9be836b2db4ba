#!/usr/bin/env bash
# Guessing passwords by the thousand. See brute_force.py.
# alone: it measures how long others wait
set -euo pipefail
exec python3 -B "$(dirname -- "${BASH_SOURCE[0]}")/brute_force.py" "$@"
