"""Made-up people and what is written about them."""

CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
FAMILY, GIVEN = "架空山", "試花子"
# What must never stand in a refusal or a log.
PERSONAL = (FAMILY, GIVEN, "カクウヤマ", "シハナコ")


def patient(number=0):
    return {
        "resourceType": "Patient",
        "name": [
            {
                "use": "official",
                "text": f"{FAMILY} {GIVEN}",
                "family": FAMILY,
                "given": [f"{GIVEN}{number}"],
                "extension": [
                    {
                        "url": "http://hl7.org/fhir/StructureDefinition/iso21090-EN-representation",
                        "valueCode": "IDE",
                    }
                ],
            },
            {
                "use": "official",
                "family": "カクウヤマ",
                "given": ["シハナコ"],
                "extension": [
                    {
                        "url": "http://hl7.org/fhir/StructureDefinition/iso21090-EN-representation",
                        "valueCode": "SYL",
                    }
                ],
            },
        ],
        "gender": "female",
        "birthDate": "1941-02-03",
    }


def observation(person, value=36.5, note=None):
    resource = {
        "resourceType": "Observation",
        "status": "final",
        "category": [{"coding": [{"system": CATEGORY, "code": "vital-signs"}]}],
        "code": {"coding": [{"system": "http://loinc.org", "code": "8310-5"}]},
        "subject": {"reference": f"Patient/{person}"},
        "effectiveDateTime": "2026-11-01T09:30:00+09:00",
        "valueQuantity": {
            "value": value,
            "unit": "Cel",
            "system": "http://unitsofmeasure.org",
            "code": "Cel",
        },
    }
    if note:
        resource["note"] = [{"text": note}]
    return resource
