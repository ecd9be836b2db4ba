"""Writes crates/web/assets/style/tokens.css: the values of the government's design system that our style uses.

usage: make_tokens.py PACKAGE, the unpacked npm package @digital-go-jp/design-tokens
"""

import json
import re
import sys
from pathlib import Path

STYLE = Path(__file__).resolve().parents[2] / "crates/web/assets/style"
MADE = STYLE / "tokens.css"
GIVEN = re.compile(r"^\s*(--[a-z0-9-]+):\s*(.+);$", re.M)
USED = re.compile(r"var\((--[a-z0-9-]+)")


def resolved(name: str, values: dict[str, str]) -> str:
    """The value of a token; one that names another is followed."""
    value = values[name]
    named = USED.search(value)
    return resolved(named.group(1), values) if named else value


def main(package: Path) -> None:
    version = json.loads((package / "package.json").read_text())["version"]
    values = dict(GIVEN.findall((package / "dist/tokens.css").read_text()))
    ours = "\n".join(path.read_text() for path in sorted(STYLE.glob("*.css")) if path != MADE)
    own = {name for name, _ in re.findall(r"(--[a-z0-9-]+):\s*([^;]+);", ours)}
    asked = sorted(set(USED.findall(ours)) - own)
    unknown = [name for name in asked if name not in values]
    if unknown:
        sys.exit(f"version {version} has no {', '.join(unknown)}: choose others in {STYLE}")
    lines = [f"  {name}: {resolved(name, values)};" for name in asked]
    head = (
        f"/* Made by tools/design-tokens from @digital-go-jp/design-tokens {version} (MIT, © 2023 デジタル庁);\n"
        "   not to be edited. */\n"
    )
    MADE.write_text(head + ":root {\n" + "\n".join(lines) + "\n}\n")
    print(f"{MADE.name}: {len(lines)} values of version {version}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
