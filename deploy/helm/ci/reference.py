#!/usr/bin/env python3
"""Keeps together what must say the same about the chart's values.

docs/reference/configuration.md -> the schema of `config` in values.schema.json
values.schema.json, values.yaml -> docs/reference/chart.md

Without arguments it compares, and exits 1 with the difference; with --write it writes.
"""

import difflib
import json
import pathlib
import re
import sys

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[3]
CHART = ROOT / "deploy/helm/peerwright"
SETTINGS = ROOT / "docs/reference/configuration.md"
SCHEMA = CHART / "values.schema.json"
REFERENCE = ROOT / "docs/reference/chart.md"

SETTING_ROW = re.compile(r"^\| `([a-z_.]+)` \| (.*?) \| (.*?) \| (?:live|restart) \| (.*) \|$")
SOURCE_ROW = re.compile(r"^\| `([a-z]+)` \| (.*) \|$")
RANGE = re.compile(r"^(\d+) to (\d+) \w+$")
CHOICES = re.compile(r"^\w+(, \w+)+$")
SCALAR = ["string", "number", "boolean"]


def sources_schema(lines):
    """The list of sources: its fields stand in a table of their own; all but the topics are needed."""
    at = lines.index("## Sources")
    rows = [SOURCE_ROW.match(line) for line in lines[at:]]
    fields = {row[1]: row[2] for row in rows if row}
    if set(fields) != {"name", "topics", "tenants", "types"}:
        sys.exit(f"{SETTINGS}: the fields of a source changed to {sorted(fields)}: mend sources_schema()")
    texts = {"type": "array", "items": {"type": "string", "minLength": 1}}
    properties = {
        name: {"description": help_text, **({"type": "string", "minLength": 1} if name == "name" else texts)}
        for name, help_text in fields.items()
    }
    needed = ["name", "tenants", "types"]
    return {
        "type": "array",
        "items": {"type": "object", "additionalProperties": False, "required": needed, "properties": properties},
    }


def value_schema(values, sources):
    """What the column "Values" says, as a schema."""
    bounds = RANGE.match(values)
    if bounds:
        return {"type": "integer", "minimum": int(bounds[1]), "maximum": int(bounds[2])}
    if values.startswith("list: "):
        return {"type": "array", "minItems": 1, "items": {"enum": values[len("list: "):].split(", ")}}
    if CHOICES.match(values):
        return {"enum": values.split(", ")}
    known = {
        "text": {"type": "string"},
        "path": {"type": "string"},
        "connection string": {"type": "string"},
        "topic": {"type": "string", "minLength": 1},
        "list": {"type": "array", "minItems": 1, "items": {"type": "string", "minLength": 1}},
        "address:port": {"type": "string", "pattern": ":[0-9]{1,5}$"},
        "map, only in the file": {"type": "object", "additionalProperties": {"type": SCALAR}},
        "see below, only in the file": sources,
    }
    if values not in known:
        sys.exit(f'{SETTINGS}: "{values}" is a new kind of value: teach it to value_schema()')
    return known[values]


def config_schema():
    lines = SETTINGS.read_text().splitlines()
    sources = sources_schema(lines)
    properties = {}
    for row in filter(None, map(SETTING_ROW.match, lines)):
        key, _, values, help_text = row.groups()
        setting = {"description": help_text, **value_schema(values, sources)}
        section, _, name = key.rpartition(".")
        if section:
            new = {"type": "object", "additionalProperties": False, "properties": {}}
            properties.setdefault(section, new)["properties"][name] = setting
        else:
            properties[key] = setting
    if not properties:
        sys.exit(f"{SETTINGS}: no table of settings was found")
    # What the templates read has to be there, if only empty: the templates then say what is missing, all at once.
    properties["admin"]["required"] = ["listen"]
    return {
        "description": "The worker's configuration, word for word: [its reference](configuration.md).",
        "type": "object",
        "additionalProperties": False,
        "required": ["kafka", "postgres", "admin"],
        "properties": properties,
    }


def rows(schema, defaults, prefix=""):
    """(value, default, description) of each value, in the schema's order."""
    for name, node in schema["properties"].items():
        key, default = prefix + name, (defaults or {}).get(name)
        if "description" in node:
            yield key, "" if default in (None, "") else f"`{json.dumps(default)}`", node["description"]
        else:
            yield from rows(node, default, key + ".")


def reference(schema):
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    table = "".join(f"| `{key}` | {default} | {text} |\n" for key, default, text in rows(schema, values))
    return f"""# The chart's values

<!-- Made from values.schema.json and values.yaml of deploy/helm/peerwright by `tools/chart reference`. -->

How to install it: [the chart's README](../../deploy/helm/peerwright/README.md). A value that is not in this table is an
error, also one inside `config`.

| Value | Default | What it does |
|---|---|---|
{table}"""


def main():
    schema = json.loads(SCHEMA.read_text())
    schema["properties"]["config"] = config_schema()
    wanted = {
        SCHEMA: json.dumps(schema, indent=2, ensure_ascii=False) + "\n",
        REFERENCE: reference(schema),
    }
    same = True
    for path, text in wanted.items():
        if sys.argv[1:] == ["--write"]:
            path.write_text(text)
            continue
        found = path.read_text() if path.exists() else ""
        if found != text:
            same = False
            name = str(path.relative_to(ROOT))
            sys.stderr.writelines(
                difflib.unified_diff(found.splitlines(True), text.splitlines(True), name, name + " as it should be")
            )
    if not same:
        sys.exit("run tools/chart reference, and look at what it changes")


if __name__ == "__main__":
    main()
