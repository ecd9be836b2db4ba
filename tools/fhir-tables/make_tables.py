#!/usr/bin/env python3
"""Makes crates/fhir/data/{primitives,elements,bindings,search}.tsv from FHIR's own definitions.

Usage: make_tables.py DEFINITIONS [OUTPUT]
DEFINITIONS is a folder with FHIR R4's profiles-types.json, profiles-resources.json,
valuesets.json, v3-codesystems.json, search-parameters.json and
compartmentdefinition-patient.json. README.md says where to get them.
"""
import json
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).resolve().parent
SD = "http://hl7.org/fhir/StructureDefinition/"
REGEX = SD + "regex"
# The types of a choice that say when.
DATE_TYPES = {"date", "dateTime", "instant", "Period", "Timing"}


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    source = pathlib.Path(sys.argv[1])
    output = pathlib.Path(sys.argv[2]) if len(sys.argv) == 3 else HERE.parent.parent / "crates/fhir/data"
    structures = load(source, "profiles-types.json", "profiles-resources.json")
    served = lines("types.txt")
    unknown = [name for name in served if name not in structures]
    if unknown:
        sys.exit(f"types.txt: FHIR R4 defines no {', '.join(unknown)}")
    needed = closure(structures, served)
    primitives, elements, wanted = [], [], {}
    for name in needed:
        definition = structures[name]
        if definition["kind"] == "primitive-type":
            primitives.append([name, pattern_of(definition)])
        else:
            elements += rows_of(structures, name, wanted)
    concepts = load(source, "valuesets.json", "v3-codesystems.json", key="url")
    bindings = []
    for name, url in sorted(wanted.items()):
        systems = expand(concepts, url)
        if systems is None:
            print(f"not listed, any code is taken: {url}", file=sys.stderr)
        else:
            bindings += [[name, system, "|".join(codes)] for system, codes in systems.items()]
    head = "made by tools/fhir-tables from the definitions of FHIR 4.0.1; do not edit"
    write(output / "primitives.tsv", f"# primitive\tregex of its value; {head}", sorted(primitives))
    write(output / "elements.tsv", f"# path\tcardinality (or kind of type)\ttypes\tnotes; {head}", elements)
    write(output / "bindings.tsv", f"# value set\tcode system\tcodes; {head}", bindings)
    search = search_rows(source, served, elements)
    write(output / "search.tsv", f"# type\trole\tparameter\tkind\tJSON paths; {head}", search)


def load(source, *files, key="id"):
    found = {}
    for file in files:
        for entry in json.loads((source / file).read_text("utf-8"))["entry"]:
            resource = entry["resource"]
            kind = resource["resourceType"] + " " if key == "url" else ""
            if key == "url" or resource["resourceType"] == "StructureDefinition":
                found.setdefault(kind + resource.get(key, ""), resource)
    return found


def lines(file):
    text = (HERE / file).read_text("utf-8").splitlines()
    return [line for line in text if line and not line.startswith("#")]


def write(path, head, rows):
    path.write_text("\n".join([head] + ["\t".join(row) for row in rows]) + "\n", "utf-8")


def type_codes(structures, element):
    """The element's type names, with the ones of FHIRPath's own system replaced."""
    for kind in element.get("type", []):
        code = kind["code"]
        if code.startswith("http://hl7.org/fhirpath/"):
            resource_id = element["path"].count(".") == 1 and element["path"].endswith(".id")
            owner = structures.get(element["path"].split(".")[0])
            is_resource = owner is not None and owner["kind"] == "resource"
            if element["path"] == "Extension.url":
                yield "uri", kind
            else:
                yield ("id" if resource_id and is_resource else "string"), kind
        else:
            yield code, kind


def own_elements(definition):
    return [e for e in definition["snapshot"]["element"][1:] if e["max"] != "0"]


def closure(structures, served):
    """Served types first, then every datatype they reach, each once."""
    # Element is what a primitive may have beside its value.
    order, queue = [], [*served, "Element"]
    while queue:
        name = queue.pop(0)
        if name in order:
            continue
        order.append(name)
        if structures[name]["kind"] == "primitive-type":
            continue
        for element in own_elements(structures[name]):
            for code, _ in type_codes(structures, element):
                if code not in ("Resource", "BackboneElement", "Element"):
                    queue.append(code)
    resources = [n for n in order if structures[n]["kind"] == "resource"]
    return resources + sorted(n for n in order if structures[n]["kind"] != "resource")


def pattern_of(definition):
    for element in definition["snapshot"]["element"]:
        if element["path"].endswith(".value"):
            for extension in element["type"][0].get("extension", []):
                if extension["url"] == REGEX:
                    return extension["valueString"]
    return ""


def rows_of(structures, name, wanted):
    definition = structures[name]
    rows = [[name, definition["kind"] if definition["kind"] == "resource" else "datatype"]]
    for element in own_elements(definition):
        # A profile such as Age keeps the paths of what it constrains.
        path = ".".join([name] + element["path"].split(".")[1:])
        types, targets = [], set()
        if "contentReference" in element:
            types = ["@" + element["contentReference"].lstrip("#")]
        else:
            for code, kind in type_codes(structures, element):
                if code == "Reference":
                    targets = {p.removeprefix(SD) for p in kind.get("targetProfile", [])} - {"Resource"}
                    code = f"Reference({','.join(sorted(targets))})" if targets else code
                types.append(code)
        notes = []
        binding = element.get("binding", {})
        if binding.get("strength") == "required" and "valueSet" in binding:
            url = binding["valueSet"].split("|")[0]
            short = url.rsplit("/", 1)[1]
            assert wanted.setdefault(short, url) == url, f"two value sets named {short}"
            notes.append("required=" + short)
        if element.get("isModifier"):
            notes.append("modifier")
        rows.append([path, f"{element['min']}..{element['max']}", "|".join(types), " ".join(notes)])
    return rows


def expand(concepts, url):
    """System -> codes of a value set, or None when it isn't enumerable from these definitions."""
    value_set = concepts.get("ValueSet " + url)
    if value_set is None:
        return None
    systems = {}
    compose = value_set.get("compose", {})
    for include in compose.get("include", []):
        for imported in include.get("valueSet", []):
            other = expand(concepts, imported.split("|")[0])
            if other is None:
                return None
            for system, codes in other.items():
                systems.setdefault(system, []).extend(codes)
        if "system" not in include:
            continue
        codes = included(concepts, include)
        if codes is None:
            return None
        systems.setdefault(include["system"], []).extend(codes)
    for exclude in compose.get("exclude", []):
        codes = included(concepts, exclude)
        if codes is None:
            return None
        kept = systems.get(exclude["system"], [])
        systems[exclude["system"]] = [code for code in kept if code not in codes]
    return {system: list(dict.fromkeys(codes)) for system, codes in systems.items()}


def included(concepts, include):
    if "concept" in include:
        return [concept["code"] for concept in include["concept"]]
    code_system = concepts.get("CodeSystem " + include["system"])
    if code_system is None or code_system.get("content") not in ("complete", None):
        return None
    tree = code_system.get("concept", [])
    for rule in include.get("filter", []):
        if rule["op"] != "is-a" or rule["property"] != "concept":
            return None
        tree = [c for c in walk(tree, code_system) if c["code"] == rule["value"]]
    return [c["code"] for c in walk(tree, code_system) if not abstract(c)]


def walk(tree, code_system):
    for concept in tree:
        yield concept
        yield from walk(concept.get("concept", []), code_system)
        for other in code_system.get("concept", []):
            for given in other.get("property", []):
                if given["code"] == "subsumedBy" and given.get("valueCode") == concept["code"]:
                    yield from walk([other], code_system)


def abstract(concept):
    flags = ("notSelectable", "abstract")
    return any(p["code"] in flags and p.get("valueBoolean") for p in concept.get("property", []))


def search_rows(source, served, elements):
    parameters = {}
    for entry in json.loads((source / "search-parameters.json").read_text("utf-8"))["entry"]:
        resource = entry["resource"]
        for base in resource["base"]:
            parameters[base, resource["code"]] = resource
    compartment = json.loads((source / "compartmentdefinition-patient.json").read_text("utf-8"))
    in_compartment = {r["code"] for r in compartment["resource"] if r.get("param")}
    shapes = {row[0]: row[2] for row in elements if len(row) > 2}
    rows = []
    for line in lines("search.txt"):
        role, code, types = line.split("\t")
        for name in served if types == "*" else types.split(","):
            parameter = parameters.get((name, code))
            if parameter is None:
                if types != "*":
                    sys.exit(f"search.txt: {name} has no parameter {code}")
                continue
            paths = reduce(name, parameter, shapes)
            rows.append([name, role, code, parameter["type"], "|".join(paths)])
    with_patient = {row[0] for row in rows if row[1] == "patient"} | {"Patient"}
    for name in served:
        if (name in in_compartment) != (name in with_patient):
            sys.exit(f"{name}: the Patient compartment and the parameter patient disagree")
    return sorted(rows, key=lambda row: row[0])


def reduce(name, parameter, shapes):
    """The parameter's FHIRPath as JSON paths of this type: only what our roles use is understood."""
    paths = []
    for part in parameter["expression"].split("|"):
        part = part.strip().removeprefix("(").removesuffix(")") if " as " in part else part.strip()
        part = re.sub(r"\.where\(resolve\(\) is \w+\)", "", part)
        cast = re.fullmatch(r"([\w.]+)(?: as (\w+)|\.as\((\w+)\))", part)
        path, only = (cast[1], cast[2] or cast[3]) if cast else (part, None)
        if path.split(".")[0] != name:
            continue
        if not re.fullmatch(r"[\w.]+", path):
            sys.exit(f"{name}.{parameter['code']}: cannot reduce {part}")
        relative = path.split(".", 1)[1]
        if path in shapes:
            paths.append(relative)
            continue
        if path.rsplit(".", 1)[0] not in shapes and path + "[x]" not in shapes:
            # Into a datatype, as Patient.name.family.
            if path.count(".") > 1:
                paths.append(relative)
                continue
        if path + "[x]" not in shapes:
            if path.rsplit(".", 1)[0] in shapes:
                paths.append(relative)
                continue
            sys.exit(f"{name}.{parameter['code']}: no element {path}")
        for kind in shapes[path + "[x]"].split("|"):
            kind = kind.split("(")[0]
            if only == kind or only is None and (parameter["type"] != "date" or kind in DATE_TYPES):
                paths.append(relative + kind[0].upper() + kind[1:])
    return paths


if __name__ == "__main__":
    main()
