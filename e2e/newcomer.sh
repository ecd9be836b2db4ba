#!/usr/bin/env bash
# Follows the README as a new user would. See newcomer.py.
set -euo pipefail
exec python3 -B "$(dirname -- "${BASH_SOURCE[0]}")/newcomer.py" "$@"
