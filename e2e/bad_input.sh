#!/usr/bin/env bash
# Malformed, oversized, slow and refused requests. See bad_input.py.
set -euo pipefail
exec python3 -B "$(dirname -- "${BASH_SOURCE[0]}")/bad_input.py" "$@"
