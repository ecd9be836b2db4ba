"""Imports a folder of good and broken files: what is right is stored once, what is wrong is named with file,
place and rule, and a broken Bundle leaves nothing behind. Also when an import is killed on its way."""

import json
import random
import signal
import subprocess
import sys
import time
import uuid

from lib import samples
from lib.checks import Checks, say, seed
from lib.fhir import Connection
from lib.program import Installation, Scratch, binary, clean_environment

DONE, PARTLY, FAILED, USAGE = 0, 2, 1, 64
IDENTIFIER = "http://karte.example/patient"
LOINC = "http://loinc.org"
CLINICAL = "http://terminology.hl7.org/CodeSystem"
# Bundles of the import that is killed.
MANY = 60


def urn():
    return f"urn:uuid:{uuid.uuid4()}"


def concept(system, code):
    return {"coding": [{"system": system, "code": code}]}


def journey(number, rules=random):
    """A made-up visit: a dozen types that refer to each other by urn:uuid."""
    names = (
        "Organization Practitioner Patient Encounter Condition Observation MedicationRequest "
        "AllergyIntolerance Procedure Immunization DiagnosticReport CarePlan DocumentReference"
    ).split()
    at = {name: urn() for name in names}
    subject = {"reference": at["Patient"]}
    day = f"2026-10-{rules.randrange(1, 29):02d}"
    resources = {
        "Organization": {
            "name": "そよかぜ病院",
            "identifier": [{"system": "http://karte.example/org", "value": "1"}],
        },
        "Practitioner": {
            "name": [{"text": "架空 医師", "family": "架空", "given": ["医師"]}],
            "identifier": [{"system": "http://karte.example/staff", "value": "7"}],
        },
        "Patient": samples.patient(number) | {"identifier": [{"system": IDENTIFIER, "value": f"P{number}"}]},
        "Encounter": {
            "status": "finished",
            "class": {"system": f"{CLINICAL}/v3-ActCode", "code": "AMB"},
            "subject": subject,
            "serviceProvider": {"reference": at["Organization"]},
            "period": {"start": f"{day}T09:00:00+09:00", "end": f"{day}T09:30:00+09:00"},
        },
        "Condition": {
            "clinicalStatus": concept(f"{CLINICAL}/condition-clinical", "active"),
            "code": concept("http://hl7.org/fhir/sid/icd-10", "I10"),
            "subject": subject,
            "encounter": {"reference": at["Encounter"]},
            "recordedDate": day,
        },
        "Observation": samples.observation("x", round(rules.uniform(35, 40), 1)) | {"subject": subject},
        "MedicationRequest": {
            "status": "active",
            "intent": "order",
            "medicationCodeableConcept": {"text": "架空錠 5mg"},
            "subject": subject,
            "requester": {"reference": at["Practitioner"]},
            "authoredOn": day,
        },
        "AllergyIntolerance": {
            "clinicalStatus": concept(f"{CLINICAL}/allergyintolerance-clinical", "active"),
            "code": {"text": "架空豆"},
            "patient": subject,
        },
        "Procedure": {
            "status": "completed",
            "code": {"text": "架空処置"},
            "subject": subject,
            "performedDateTime": day,
        },
        "Immunization": {
            "status": "completed",
            "vaccineCode": concept("http://hl7.org/fhir/sid/cvx", "140"),
            "patient": subject,
            "occurrenceDateTime": day,
        },
        "DiagnosticReport": {
            "status": "final",
            "code": concept(LOINC, "58410-2"),
            "subject": subject,
            "result": [{"reference": at["Observation"]}],
            "effectiveDateTime": f"{day}T10:00:00+09:00",
        },
        "CarePlan": {"status": "active", "intent": "plan", "subject": subject, "title": "架空の計画"},
        "DocumentReference": {
            "status": "current",
            "type": concept(LOINC, "34133-9"),
            "subject": subject,
            "date": f"{day}T10:00:00+09:00",
            "content": [{"attachment": {"contentType": "text/plain", "data": "5p625oir44Gu5paH5pu4"}}],
        },
    }
    return [
        {
            "fullUrl": at[name],
            "resource": {"resourceType": name} | resources[name],
            "request": {"method": "POST", "url": name},
        }
        for name in names
    ]


def bundle(entries, kind="transaction"):
    return {"resourceType": "Bundle", "type": kind, "entry": entries}


def write(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=1)
    path.write_text(text, encoding="utf-8")


class Export:
    """A folder as another system might write it."""

    def __init__(self, folder):
        self.folder = folder
        write(folder / "1-visit.json", bundle(journey(1)))
        write(folder / "deeper" / "still" / "2-visit.json", bundle(journey(2), "collection"))
        write(folder / "3-visit.json", bundle(journey(3), "batch"))
        # Each visit has 13, of which the hospital and the doctor are the same.
        self.good = 3 * 13 - 2 * 2
        self.persons = ["P1", "P2", "P3"]

        broken = journey(4)
        self.broken_at = next(
            at for at, entry in enumerate(broken) if entry["resource"]["resourceType"] == "Observation"
        )
        broken[self.broken_at]["resource"]["status"] = "perhaps"
        write(folder / "broken.json", bundle(broken))
        dangling = journey(5)
        dangling[3]["resource"]["subject"] = {"reference": urn()}
        write(folder / "dangling.json", bundle(dangling))
        write(folder / "cut.json", json.dumps(bundle(journey(6)))[:-40])
        write(folder / "found.json", bundle(journey(7), "searchset"))
        self.broken = ["broken.json", "dangling.json", "cut.json", "found.json"]
        self.nobody = ["P4", "P5", "P6", "P7"]

        people = [
            samples.patient(n) | {"id": f"p{n}", "identifier": [{"system": IDENTIFIER, "value": f"P{n}"}]}
            for n in (8, 9)
        ]
        write(
            folder / "Patient.ndjson", "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in people)
        )
        lines = [
            json.dumps(samples.observation("p8", 36.1) | {"id": "o1"}),
            "",
            json.dumps(samples.observation("p9", 36.2) | {"id": "o2", "effectiveDateTime": "2026-02-31"}),
            json.dumps(samples.observation("p9", 36.3) | {"id": "o3"}),
            json.dumps({"resourceType": "VisionPrescription", "id": "v1", "status": "active"}),
        ]
        write(folder / "Observation.ndjson", "\n".join(lines) + "\n")
        self.good += 2 + 2
        self.persons += ["P8", "P9"]
        write(folder / "README.txt", "not for us")
        self.files = 9


def folder_of_everything(checks):
    with Scratch() as scratch:
        installation = Installation(scratch / "home").init()
        institution = installation.institution()
        export = Export(scratch / "export")
        arguments = ("import", str(export.folder), "--institution", institution)

        first = installation.run("--json", *arguments)
        checks.equal(first.code, PARTLY, f"partly done: {first!r}")
        told = first.json()
        checks.equal(
            sorted(told),
            ["files", "known", "problems", "seconds", "skipped", "stored"],
            "JSON: what it is made of",
        )
        checks.equal(
            (told["files"], told["stored"]), (export.files, export.good), f"what is right is stored: {told}"
        )
        checks.equal(sum(told["skipped"].values()), 1, "a type that is not served is skipped and named")
        checks.that(
            any("VisionPrescription" in why for why in told["skipped"]), "the skipped type is named", told
        )
        for problem in told["problems"]:
            checks.that(
                sorted(problem) == ["place", "rule"] and all(problem.values()),
                "JSON: a problem's form",
                problem,
            )
        named(checks, told, export)
        nothing_personal(checks, first)

        entries = installation.must("--json", "ledger", "verify").json()
        again = installation.run("--json", *arguments)
        checks.equal(
            (again.code, again.json()["stored"]), (PARTLY, 0), f"a second import adds nothing: {again!r}"
        )
        checks.that(again.json()["known"] >= export.good, "and knows everything", again.json())
        versions = installation.must("--json", "ledger", "verify").json()["versions"]
        checks.equal(versions, entries["versions"], "a second import writes no version")

        text = installation.run(*arguments)
        checks.equal(text.code, PARTLY, "in words: partly done")
        for name in (*export.broken, "Observation.ndjson: line 3"):
            checks.that(name in text.out, f"in words: {name} is named", text.out)
        nothing_personal(checks, text)

        for name in (*export.broken, "Observation.ndjson"):
            (export.folder / name).unlink()
        rest = installation.run("--json", *arguments)
        checks.equal(
            (rest.code, rest.json()["problems"]), (DONE, []), f"without the broken ones all is done: {rest!r}"
        )
        wrong_calls(checks, installation, scratch, institution, export)
        with installation.server() as server:
            as_records(checks, Connection(server.fhir, installation.token(institution)), export)
        checks.equal(installation.run("ledger", "verify").code, 0, "the ledger is whole")


def named(checks, told, export):
    """Each broken file with the place in it and the rule."""
    wanted = [
        ("broken.json", f"Bundle.entry[{export.broken_at}].resource: Observation.status", "status"),
        ("dangling.json", "Bundle.entry[3].resource", ""),
        ("cut.json", "", "line"),
        ("found.json", "Bundle", "searches"),
        ("Observation.ndjson", "line 3", ""),
    ]
    for file, place, rule in wanted:
        found = [problem for problem in told["problems"] if file in problem["place"]]
        checks.that(found, f"{file}: is named", told["problems"])
        checks.that(any(place in problem["place"] for problem in found), f"{file}: at {place!r}", found)
        checks.that(
            any(rule in problem["place"] + problem["rule"] for problem in found), f"{file}: why", found
        )
    checks.equal(len(told["problems"]), len(wanted), f"nothing else is wrong: {told['problems']}")


def nothing_personal(checks, answer):
    words = [word for word in (*samples.PERSONAL, "架空 医師") if word in answer.out + answer.err]
    checks.equal(words, [], "an import's words name nobody")


def wrong_calls(checks, installation, scratch, institution, export):
    empty = scratch / "empty"
    empty.mkdir()
    for name, arguments, codes in (
        ("an empty folder", (str(empty), "--institution", institution), {USAGE}),
        ("no such folder", (str(scratch / "none"), "--institution", institution), {USAGE}),
        ("no institution", (str(export.folder),), {USAGE}),
        (
            "an unknown institution",
            (str(export.folder), "--institution", str(uuid.uuid4())),
            {FAILED, PARTLY},
        ),
    ):
        answer = installation.run("import", *arguments)
        checks.that(answer.code in codes, f"{name}: {sorted(codes)}", repr(answer))
        checks.that("panicked" not in answer.err, f"{name}: no panic", answer.err)


def as_records(checks, client, export):
    """What came in is served, its references lead to the new ids; of the broken nothing is there."""
    for person in export.nobody:
        found = client.ask("GET", f"/fhir/Patient?identifier={IDENTIFIER}|{person}").json()
        checks.equal(
            found.get("total", len(found.get("entry", []))), 0, f"nothing of the broken {person} is there"
        )
    for person in export.persons:
        reply = client.ask("GET", f"/fhir/Patient?identifier={IDENTIFIER}|{person}")
        found = [entry["resource"] for entry in reply.json().get("entry", [])]
        checks.equal(len(found), 1, f"{person} is there once: {reply!r}")
        if not found:
            continue
        patient = found[0]["id"]
        reply = client.ask("GET", f"/fhir/Observation?patient={patient}").json()
        seen = [entry["resource"]["subject"]["reference"] for entry in reply.get("entry", [])]
        checks.equal(seen, [f"Patient/{patient}"], f"{person}: the record leads to the new id")
        if person == "P1":
            reports = client.ask("GET", f"/fhir/DiagnosticReport?patient={patient}").json()["entry"]
            result = reports[0]["resource"]["result"][0]["reference"]
            again = client.ask("GET", f"/fhir/{result}")
            checks.equal(again.status, 200, f"a report leads to its result: {result}")


def killed_on_its_way(checks):
    """An import that was killed is simply begun again: in the end everything is there once."""
    chance = random.Random(seed())
    with Scratch() as scratch:
        installation = Installation(scratch / "home").init()
        institution = installation.institution()
        for number in range(MANY):
            write(scratch / "export" / f"{number}.json", bundle(journey(number, chance)))
        command = [
            binary(),
            "--home",
            str(installation.home),
            "import",
            str(scratch / "export"),
            "--institution",
            institution,
        ]
        cut = 0
        for _ in range(3):
            running = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=clean_environment(),
            )
            time.sleep(chance.uniform(0.05, 1.2))
            running.send_signal(signal.SIGKILL)
            cut += running.wait(30) == -signal.SIGKILL
            answer = installation.run("--json", "ledger", "verify")
            checks.equal(answer.code, 0, f"killed import: the ledger is whole: {answer!r}")
        last = installation.run("--json", "import", str(scratch / "export"), "--institution", institution)
        told = last.json()
        total = MANY * 13
        same = 2 * (MANY - 1)
        checks.equal(last.code, DONE, f"killed import: begun again, it is done: {last!r}")
        checks.that(
            told["stored"] + told["known"] in (total, total - same), "killed import: nothing is missing", told
        )
        once_more = installation.run(
            "--json", "import", str(scratch / "export"), "--institution", institution
        ).json()
        checks.equal(once_more["stored"], 0, "killed import: nothing is left to do")
        with installation.server() as server:
            client = Connection(server.fhir, installation.token(institution))
            wrong = []
            for number in range(MANY):
                reply = client.ask("GET", f"/fhir/Patient?identifier={IDENTIFIER}|P{number}").json()
                if len(reply.get("entry", [])) != 1:
                    wrong.append(number)
            checks.equal(wrong, [], "killed import: everybody is there once")
        say(f"import: {cut} of 3 were cut off; the last stored {told['stored']} and knew {told['known']}")


def main():
    checks = Checks("import")
    checks.section("a folder of good and broken files", folder_of_everything, checks)
    checks.section("imports that are killed", killed_on_its_way, checks)
    return checks.close()


if __name__ == "__main__":
    sys.exit(main())
