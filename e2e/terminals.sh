#!/usr/bin/env bash
# Client certificates and zones, over real TLS connections. See terminals.py.
set -euo pipefail
exec python3 -B "$(dirname -- "${BASH_SOURCE[0]}")/terminals.py" "$@"
