#!/usr/bin/env bash
# Makes the font that the demonstration's documents are set in: of Noto Sans CJK JP (Debian package
# fonts-noto-cjk, SIL Open Font License 1.1) those glyphs whose characters the demonstration's data can
# say, without hinting and layout tables. Wants Python's fonttools. A test fails when a character of the
# data is not in it.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.."
source=/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc
text="$(mktemp)"
trap 'rm -f -- "$text"' EXIT
cat crates/demo/data/*.tsv crates/demo/data/*/*.txt crates/demo/src/*.rs crates/demo/src/*/*.rs \
    crates/city/src/*.rs >"$text" 2>/dev/null || true
pyftsubset "$source" --font-number=0 --text-file="$text" \
    --unicodes='U+0020-007E,U+00B0,U+00D7,U+2010-2015,U+2018-201D,U+2026,U+2103,U+2190-2193,U+2460-2473,U+25A0-25CF,U+3000-3015,U+3041-309F,U+30A0-30FF,U+FF01-FF5E' \
    --layout-features='' --no-hinting --drop-tables+=GSUB,GPOS,GDEF,BASE,VORG,vhea,vmtx,DSIG \
    --name-IDs='0,1,2,3,4,5,6,13,14' --notdef-outline \
    --output-file=crates/demo/data/font/NotoSansJP-demo.otf
ls -l crates/demo/data/font/NotoSansJP-demo.otf
