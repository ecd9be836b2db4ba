"""The usual days of five people in a real browser: visiting nurse, doctor, care manager, system manager and
citizen; phone and desktop, Japanese and English, with and without scripts; by keyboard alone, at 200 % and on
paper; and names that programs get wrong. Every page fits, is light, and axe finds nothing on it.

    days.py                      checks
    days.py --guide docs/guide   writes the pages of the guide, with a picture of every step
    days.py --approve            keeps the pictures that others are compared with
"""

import json
import subprocess
import sys

from lib.checks import Checks, say
from lib.program import ROOT, Installation, Scratch

PEOPLE, DAYS, LONGEST = "6", "21", 600
# Where hana.nurse of the demonstration works: people with rare names are registered there.
NURSES = "訪問看護ステーション日向町"


def walked(checks, site, password, how):
    command = ["node", str(ROOT / "e2e" / "days" / "days.mjs"), site, password, *how]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as run:
        for line in run.stdout:
            told = json.loads(line)
            if "skipped" in told:
                checks.skip(told["skipped"], told["reason"])
            elif "ok" in told:
                checks.that(told["ok"], told["what"], told.get("detail", ""))
            else:
                say("days: " + ", ".join(f"{name} {value}" for name, value in told.items()))
        checks.equal(run.wait(timeout=LONGEST), 0, "every day came to its end")


def main(how):
    checks = Checks("days")
    with Scratch() as folder:
        city = Installation(folder / "city")
        made = city.must("demo", "--people", PEOPLE, "--days", DAYS, "--no-serve", "--json").json()
        everybody = city.must("institution", "list", "--json").json()
        of_nurse = next(one["institution"] for one in everybody if one["name"] == NURSES)
        city.must("import", str(ROOT / "e2e" / "days" / "names.ndjson"), "--institution", of_nurse)
        with city.server({"MIMAMORI_LOG_LEVEL": "info"}) as server:
            host, port = server.staff
            checks.section("five days", walked, checks, f"http://{host}:{port}", made["password"], how)
    return checks.close()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
