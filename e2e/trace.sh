#!/usr/bin/env bash
# Watches system calls: on the disk before the answer. See trace.py.
set -euo pipefail
exec python3 -B "$(dirname -- "${BASH_SOURCE[0]}")/trace.py" "$@"
