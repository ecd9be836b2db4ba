"""What is wrong, each in one way: what is sent, which statuses are right, and what must be told."""

import json
import uuid

TYPE = "/fhir/Observation"
FORM = "application/x-www-form-urlencoded"


def wrong_bodies(observation):
    """Name, body of a create, statuses, words of the refusal."""
    good = json.dumps(observation, ensure_ascii=False)

    def but(**changes):
        return json.dumps({key: value for key, value in (observation | changes).items() if value is not ...})

    deep = "[" * 100_000 + "]" * 100_000
    nested = '{"a":' * 100_000 + "1" + "}" * 100_000
    stranger = {"reference": f"Patient/{uuid.uuid4()}"}
    return [
        ("nothing", "", {400}, ""),
        ("no JSON", "hello", {400}, "line 1"),
        ("half a document", good[: len(good) // 2], {400}, "line 1"),
        ("two documents", good + good, {400}, ""),
        ("a list", "[]", {400}, ""),
        ("null", "null", {400}, ""),
        ("arrays 100,000 deep", f'{{"resourceType":"Observation","a":{deep}}}', {400, 413}, ""),
        ("objects 100,000 deep", nested, {400, 413}, ""),
        ("invalid UTF-8", good.encode().replace(b"final", b"fin\xff\xfel"), {400}, ""),
        ("a lone surrogate", good.replace("final", "\\ud800"), {400, 422}, ""),
        ("a NUL", good.replace("final", "fin\\u0000al"), {400, 422}, ""),
        ("UTF-16", good.encode("utf-16"), {400}, ""),
        (
            "a duplicate key",
            good.replace('"status"', '"status": "final", "status"'),
            {400, 422},
            "same name twice",
        ),
        ("an unknown element", but(nonsense=1), {422}, "nonsense"),
        ("a number for a text", but(status=7), {400, 422}, "Observation.status"),
        ("a text for an object", but(code="8310-5"), {400, 422}, "Observation.code"),
        ("an object for a list", but(category={}), {400, 422}, "Observation.category"),
        ("a status that is none", but(status="perhaps"), {422}, "Observation.status"),
        ("a missing element", but(status=...), {422}, "Observation.status"),
        ("31 February", but(effectiveDateTime="2026-02-31"), {422}, "effective"),
        ("month 13", but(effectiveDateTime="2026-13-01"), {422}, "effective"),
        ("29 February 2025", but(effectiveDateTime="2025-02-29T10:00:00+09:00"), {422}, "effective"),
        ("hour 25", but(effectiveDateTime="2026-02-01T25:00:00+09:00"), {422}, "effective"),
        ("a time without zone", but(effectiveDateTime="2026-02-01T10:00:00"), {422}, "effective"),
        ("year 0", but(effectiveDateTime="0000-01-01"), {422}, "effective"),
        ("a number too large", good.replace("36.5", "1e999999"), {201, 400, 422}, ""),
        ("two values", but(valueString="x"), {422}, "value"),
        ("nobody's record", but(subject=...), {422}, "about"),
        ("a stranger's record", but(subject=stranger), {403, 404, 422}, ""),
        ("an unknown type in the body", '{"resourceType":"Starship"}', {400, 422}, ""),
    ]


def wrong_requests(observation, made):
    """Name, method, path, headers, body, statuses, words of the refusal; `made` is a record's id."""
    good = json.dumps(observation, ensure_ascii=False)
    own = json.dumps(observation | {"id": made})
    other = str(uuid.uuid4())
    elsewhere = json.dumps(observation | {"id": other})
    address = f"{TYPE}/{made}"
    search = f"{TYPE}?patient={observation['subject']['reference'].removeprefix('Patient/')}"
    return [
        ("another type than the address", "POST", "/fhir/Condition", {}, good, {400}, "resourceType"),
        ("an unknown type in the address", "POST", "/fhir/Starship", {}, good, {404}, "metadata"),
        (
            "a Bundle",
            "POST",
            "/fhir/Bundle",
            {},
            '{"resourceType":"Bundle","type":"batch"}',
            {404},
            "metadata",
        ),
        ("XML", "POST", TYPE, {"Content-Type": "application/fhir+xml"}, "<Observation/>", {415}, "fhir+json"),
        ("a form", "POST", TYPE, {"Content-Type": FORM}, "a=b", {415}, "fhir+json"),
        ("no type of content", "POST", TYPE, {"Content-Type": "nonsense"}, good, {415}, "fhir+json"),
        ("an answer in XML", "GET", address, {"Accept": "application/fhir+xml"}, None, {406}, "fhir+json"),
        ("another method", "DELETE", address, {}, None, {405}, ""),
        ("a made-up method", "BAKE", address, {}, None, {405}, ""),
        ("an id that is none", "GET", TYPE + "/..%2F..%2Fetc", {}, None, {404}, ""),
        ("an unknown id", "GET", f"{TYPE}/{other}", {}, None, {404}, ""),
        ("a version that is none", "GET", address + "/_history/x", {}, None, {404}, ""),
        ("a version to come", "GET", address + "/_history/99", {}, None, {404}, ""),
        ("a version too large", "GET", address + "/_history/99999999999999999999999", {}, None, {404}, ""),
        ("the largest version", "GET", address + "/_history/18446744073709551615", {}, None, {404}, ""),
        ("an update of what was not read", "PUT", address, {}, own, {428}, "If-Match"),
        ("an update of another version", "PUT", address, {"If-Match": 'W/"7"'}, own, {412}, ""),
        ("an update of no version", "PUT", address, {"If-Match": "*"}, own, {400}, "If-Match"),
        (
            "an update of a version too large",
            "PUT",
            address,
            {"If-Match": 'W/"18446744073709551615"'},
            own,
            {412},
            "",
        ),
        ("an update with another id", "PUT", address, {"If-Match": 'W/"1"'}, elsewhere, {400}, "id"),
        ("a search without anybody", "GET", TYPE, {}, None, {400, 403, 422}, ""),
        ("a search for a strange date", "GET", f"{search}&date=ge2026-02-31", {}, None, {400}, "date"),
        ("a search with a strange count", "GET", f"{search}&_count=-1", {}, None, {400}, "_count"),
        ("a search with a forged cursor", "GET", f"{search}&_cursor=AAAA", {}, None, {400, 422}, ""),
        ("a strict search", "GET", f"{search}&x=1", {"Prefer": "handling=strict"}, None, {400}, "x"),
        ("a search by JSON", "POST", f"{TYPE}/_search", {}, "{}", {415}, ""),
        ("no token", "GET", address, {"Authorization": ""}, None, {401}, "token"),
        ("a wrong token", "GET", address, {"Authorization": "Bearer " + "0" * 64}, None, {401}, "token"),
        ("a long token", "GET", address, {"Authorization": "Bearer " + "0" * 6_000}, None, {401}, "token"),
        ("another scheme", "GET", address, {"Authorization": "Basic YTpi"}, None, {401}, "token"),
        ("nothing at this address", "GET", "/fhir", {}, None, {404}, ""),
    ]
