#!/usr/bin/env bash
# Disk full, database or keys gone, fsync failed: refusals, and recovery. See fail_closed.py.
set -euo pipefail
exec python3 -B "$(dirname -- "${BASH_SOURCE[0]}")/fail_closed.py" "$@"
