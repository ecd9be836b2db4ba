#!/bin/sh
# Makes crates/web/assets/style/tokens.css again: ./regenerate.sh [VERSION]; see README.md.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
npm install --prefix "$work" --no-save --no-audit --no-fund --ignore-scripts --silent "@digital-go-jp/design-tokens@${1:-1.1.9}"
python3 "$here/make_tokens.py" "$work/node_modules/@digital-go-jp/design-tokens"
