#!/usr/bin/env python3
"""Which test proves which clause of identity and access, from the log of a test run.

    clauses.py LOG           compares docs/identity-and-access.md with the run; 1 when they differ
    clauses.py LOG --write   writes it

A clause is one of the packs' requirements with module identity or access, how enforce, scope product. A
test proves it when its name is `clause_` and the clause's id in small letters with _ for every other
sign; words may follow. LOG is what `cargo test` or `cargo nextest run` printed.
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
TABLE = ROOT / "docs" / "identity-and-access.md"
OPEN = ROOT / "e2e" / "clauses-without-test.tsv"

HEAD = """# Identity and access: clause, test, result

Every clause of the packs whose module is identity or access, which the program itself must make true (`how: enforce`, `scope: product`). Made by `./test rust clauses`, which fails when this page and the run differ; `./test --write-clauses` writes it.

"""


def requirements():
    """Clauses in the order of the catalogues: id -> text. The catalogues have one clause a line."""
    found = {}
    clause = re.compile(r"^\s+- \{id: ([^,]+), (.*)\}\s*$")
    for path in sorted(ROOT.glob("packs/*/requirements/*.yaml")):
        for line in path.read_text(encoding="utf-8").splitlines():
            seen = clause.match(line)
            if not seen:
                continue
            rest = seen.group(2)
            about = re.search(r"\bmodule: (\w+)", rest)
            how = re.search(r"\bhow: \[([^\]]*)\]", rest)
            wanted = about and about.group(1) in ("identity", "access") and "scope: product" in rest
            if wanted and how and "enforce" in re.findall(r"\w+", how.group(1)):
                found[seen.group(1)] = re.search(r'\bja: "((?:[^"\\]|\\.)*)"', rest).group(1)
    return found


def results(log):
    """Test name (last part of its path) -> whether every run of it passed."""
    found = {}
    lines = re.compile(
        r"^\s*(?:(?:TRY \d+ )?(PASS|FAIL|TIMEOUT|SIGKILL|ABORT)\s.*\s(\S+)|test (\S+) \.\.\. (ok|FAILED))\s*$"
    )
    for line in pathlib.Path(log).read_text(encoding="utf-8", errors="replace").splitlines():
        seen = lines.match(line)
        if not seen:
            continue
        name = (seen.group(2) or seen.group(3)).rsplit("::", 1)[-1]
        if name.startswith("clause_"):
            passed = seen.group(1) == "PASS" or seen.group(4) == "ok"
            found[name] = passed and found.get(name, True)
    return found


def normal(clause):
    return re.sub(r"[^a-z0-9]", "_", clause.lower())


def proves(name, clause):
    rest = name.removeprefix("clause_" + normal(clause))
    return rest != name and (rest == "" or re.match(r"_[a-z]", rest) is not None)


def main(log, write):
    clauses, tests = requirements(), results(log)
    reasons = {}
    for line in OPEN.read_text(encoding="utf-8").splitlines():
        if line.strip() and not line.startswith("#"):
            clause, reason = line.split("\t", 1)
            reasons[clause] = reason
    rows, troubles = [], []
    for clause, text in clauses.items():
        mine = sorted(name for name in tests if proves(name, clause))
        if mine and clause in reasons:
            troubles.append(f"{clause} has a test and is listed in {OPEN.name}")
        if not mine and clause not in reasons:
            troubles.append(f"{clause} has no test: {text}")
        failed = [name for name in mine if not tests[name]]
        troubles += [f"{clause}: {name} failed" for name in failed]
        result = "failed" if failed else "passed" if mine else "no test: " + reasons.get(clause, "")
        rows.append(f"| `{clause}` | {text} | {'<br>'.join(f'`{name}`' for name in mine)} | {result} |")
    troubles += [f"{OPEN.name} names {clause}, which is no such clause" for clause in reasons if clause not in clauses]
    proved = sum(1 for row in rows if row.endswith("| passed |"))
    page = (
        HEAD
        + f"{len(rows)} clauses, {proved} proved by a test that passed.\n\n"
        + "| clause | demands | tests | result |\n|---|---|---|---|\n"
        + "\n".join(rows)
        + "\n"
    )
    if write:
        TABLE.write_text(page, encoding="utf-8")
    elif not TABLE.exists() or TABLE.read_text(encoding="utf-8") != page:
        troubles.append(f"{TABLE.relative_to(ROOT)} is not what this run shows: ./test --write-clauses")
    for trouble in troubles:
        print(trouble)
    print(f"{len(rows)} clauses of identity and access, {proved} proved by a test that passed")
    return 1 if troubles else 0


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1], "--write" in sys.argv[2:]))
