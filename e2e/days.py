"""The usual days of five people in a real browser: visiting nurse, doctor, care manager, system manager and
citizen; phone and desktop, Japanese and English, with and without scripts; by keyboard alone, at 200 % and on
paper; and names that programs get wrong. Every page fits, is light, and axe finds nothing on it.

    days.py                      checks; with E2E_EVERYTHING=1 also how soon each page is painted
    days.py --guide docs/guide   writes the pages of the guide, with a picture of every step
    days.py --approve            keeps the pictures that others are compared with
"""

import datetime
import json
import os
import subprocess
import sys

from lib.checks import Checks, say
from lib.program import ROOT, Installation, Scratch

PEOPLE, DAYS, LONGEST = "6", "21", 600
# Where hana.nurse of the demonstration works: people with rare names are registered there.
NURSES = "訪問看護ステーション日向町"


# Somebody with this many records, one an hour; the first of them at noon of a day in Japan.
LONG = 10_000


def long_record(path):
    """Writes them as NDJSON; gives the first day."""
    last = datetime.datetime.now(datetime.timezone(datetime.timedelta(hours=9))) - datetime.timedelta(hours=LONG)
    begun = last.replace(hour=12, minute=0, second=0, microsecond=0) - datetime.timedelta(days=1)
    patient = {
        "resourceType": "Patient", "id": "long", "gender": "female", "birthDate": "1931-02-03",
        "name": [{"use": "official", "text": "長田 とし", "family": "長田", "given": ["とし"]}],
    }
    category = "http://terminology.hl7.org/CodeSystem/observation-category"
    pulse = lambda number: {
        "resourceType": "Observation", "status": "final", "subject": {"reference": "Patient/long"},
        "category": [{"coding": [{"system": category, "code": "vital-signs"}]}],
        "code": {"coding": [{"system": "http://loinc.org", "code": "8867-4"}], "text": "脈拍"},
        "effectiveDateTime": (begun + datetime.timedelta(hours=number)).isoformat(),
        "valueQuantity": {
            "value": 60 + number * 7 % 40, "unit": "/min", "system": "http://unitsofmeasure.org", "code": "/min",
        },
    }
    lines = [patient, *(pulse(number) for number in range(LONG))]
    path.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8")
    return begun.date().isoformat()


def walked(checks, site, password, oldest, how):
    command = ["node", str(ROOT / "e2e" / "days" / "days.mjs"), site, password, *how]
    environment = {**os.environ, "OLDEST": oldest}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as run:
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
        oldest = long_record(folder / "long.ndjson")
        city.must("import", str(folder / "long.ndjson"), "--institution", of_nurse)
        with city.server({"MIMAMORI_LOG_LEVEL": "info"}) as server:
            host, port = server.staff
            checks.section("five days", walked, checks, f"http://{host}:{port}", made["password"], oldest, how)
    return checks.close()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
