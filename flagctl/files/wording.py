"""What a schema found, in words for people: what was expected, what was found, what to type.

The schemas help with words of their own, which validators pass over: `x-expected` (ends «expected ...»),
`x-object` (what a mapping is called), `x-one-of` (what lacks its deciding field), `x-misplaced` and
`x-hint` (a field that has no place beside another), `x-rule`, `x-version`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flagctl.problems import Problem, did_you_mean, pointer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from flagctl.files.validator import Fault

_TYPES = {"string": "text", "number": "a number", "integer": "a whole number", "boolean": "true or false",
          "array": "a list", "object": "fields"}  # fmt: skip
_YAML_1_1 = {"yes": "true", "on": "true", "y": "true", "no": "false", "off": "false", "n": "false",
             "true": "true", "false": "false"}  # fmt: skip
_OTHER_CONDITIONS = ("segment", "any", "all", "not")
_LONGEST = 60


def describe(faults: Iterable[Fault], path: str) -> list[Problem]:
    """Problems of a file for what the validator found in its data, each once."""
    faults = list(faults)
    misspelled = {(fault.path, meant) for fault in faults if fault.keyword == "additionalProperties"
                  for name in _unknown_names(fault) for meant in _meant(name, fault.schema)}  # fmt: skip
    problems = [problem for fault in faults for problem in _problems(fault, path, misspelled)]
    return list({(p.pointer, p.message): p for p in problems}.values())


def _unknown_names(fault: Fault) -> list[str]:
    return sorted(fault.value.keys() - fault.schema.get("properties", {}).keys())


def _meant(name: str, schema: dict[str, Any]) -> list[str]:
    """The known field that an unknown one is close to, if there is one."""
    fields = schema.get("properties", {})
    hint = did_you_mean(name, fields)
    return [field for field in fields if hint == f"did you mean {field}?"]


def _problems(fault: Fault, path: str, misspelled: set[tuple[tuple[str | int, ...], str]]) -> Iterator[Problem]:
    """misspelled: fields that are there after all, under a name that is reported itself."""
    where = pointer(*fault.path)
    found, limit, said = fault.value, fault.limit, fault.schema

    def schema_problem(message: str, hint: str = "", *, at_key: bool = fault.of_key) -> Problem:
        return Problem(rule="schema", message=message, file=path, pointer=where, hint=hint, at_key=at_key)

    match fault.keyword:
        case "additionalProperties":
            for name in _unknown_names(fault):
                message, hint = _unknown(name, list(said.get("properties", {})), said["x-object"])
                yield Problem(rule="unknown-field", message=message, file=path, pointer=where + pointer(name),
                              at_key=True, hint=hint)  # fmt: skip
        case "required" | "oneOf" if "<<" in found:
            pass  # what is merged in may well be what is missing; the merge itself is a problem already
        case "required":
            for name in limit:
                if name not in found and (fault.path, name) not in misspelled:
                    yield schema_problem(f'the field "{name}" is missing')
        case "oneOf":
            names = [option["required"][0] for option in limit]
            hint = next((did_you_mean(key, names) for key in found if did_you_mean(key, names)), "")
            if not any((fault.path, name) in misspelled for name in names):
                yield schema_problem(f"expected {said['x-one-of']}: one of {_listed(names)}", hint)
        case "minProperties" | "maxProperties":
            yield schema_problem(*_fields(found, said))
        case "not" if "x-misplaced" in said:
            yield schema_problem(said["x-misplaced"], said.get("x-hint", ""), at_key=True)
        case "not":
            yield schema_problem(f'"{found}" can\'t be a name here')
        case "pattern" if fault.of_key:
            yield schema_problem(f'expected {said["x-expected"]}, found "{found}"')
        case "enum" | "const":
            yield schema_problem(*_choice(found, limit if fault.keyword == "enum" else [limit], said))
        case _:
            rule, message, hint = _value(found, said, fault.keyword, limit)
            yield Problem(rule=rule, message=message, file=path, pointer=where, hint=hint)


def _unknown(name: str, known: list[str], what: str) -> tuple[str, str]:
    if name == "<<":
        return "merge keys (<<) are not supported", "write the fields out, or repeat a whole value by an alias"
    hint = did_you_mean(name, known)
    if what == "operator" and name in _OTHER_CONDITIONS:
        return f"{name} can't stand beside attribute", "write a condition for each"
    if what == "operator":
        return f'unknown operator "{name}"', hint or "schema/flag.schema.json lists the operators"
    return f'unknown field "{name}" in {_a(what)}', hint or (f"known: {_listed(known)}" if len(known) < 8 else "")


def _fields(found: dict[str, Any], said: dict[str, Any]) -> tuple[str, str]:
    """Too few or too many fields: of a condition with an attribute, a schedule entry, or a mapping that is empty."""
    if said.get("x-object") == "operator":
        operators = [name for name in found if name != "attribute"]
        if not operators:
            return "expected an operator beside attribute, such as equals or in", ""
        return f"expected exactly one operator, found {_listed(operators, 'and')}", "write a condition for each"
    if said.get("x-object") == "schedule entry":
        return "expected enabled or default beside at: this entry changes nothing", ""
    return f"expected {said.get('x-expected', 'at least one field')}, found {shown(found)}", ""


def _choice(found: Any, choices: list[Any], said: dict[str, Any]) -> tuple[str, str]:
    words = said.get("x-expected") or ("one of " if len(choices) > 1 else "") + _listed([spelled(c) for c in choices])
    hint = did_you_mean(found, [c for c in choices if isinstance(c, str)]) if isinstance(found, str) else ""
    if all(isinstance(c, bool) for c in choices):
        hint = _boolean_hint(found) or hint
    return f"expected {words}, found {shown(found)}", hint


def _value(found: Any, said: dict[str, Any], keyword: str, limit: Any) -> tuple[str, str, str]:
    """Rule, message and hint for a value of the wrong type, size or form."""
    rule, expected = said.get("x-rule", "schema"), said.get("x-expected") or _expected(said, keyword, limit)
    number = isinstance(found, (int, float)) and not isinstance(found, bool)
    hint = ""
    if rule == "percent" and isinstance(found, str) and found.strip().rstrip("%").replace(".", "", 1).isdigit():
        hint = f"write {found.strip().rstrip('% ')}"
    elif rule == "time" and isinstance(found, str):
        from flagctl.files.convert import time_problem

        return (rule, *time_problem(found))
    elif rule == "duration" and number:
        hint = f"say the unit: {spelled(found)}h, {spelled(found)}m or {spelled(found)}s"
    elif said.get("x-version") and number:
        rule = "quote-it"
        hint = f'quote it: "{spelled(found)}"' + ("" if isinstance(found, int) else "; a bare 2.10 is read as 2.1")
    elif rule == "quote-it" and found == "":
        rule = "schema"
    elif rule in ("schema", "quote-it") and _takes_text(said) and (number or isinstance(found, bool)):
        rule, hint = "quote-it", f'quote it: "{spelled(found)}"'
    elif said.get("type") == "boolean":
        hint = _boolean_hint(found)
    elif said.get("type") in ("number", "integer") and isinstance(found, str) and _is_number(found):
        hint = f"write {found} without quotes"
    return rule, f"expected {expected}, found {shown(found)}", hint


def _takes_text(said: dict[str, Any]) -> bool:
    kinds = said.get("type")
    return kinds == "string" or (isinstance(kinds, list) and "string" in kinds and "number" not in kinds)


def _expected(said: dict[str, Any], keyword: str, limit: Any) -> str:
    if keyword == "minLength":
        return "a text that isn't empty"
    if keyword == "minimum":
        return f"{_TYPES[said['type']]} of at least {limit}"
    if keyword == "minItems":
        return "at least one member"
    kinds = said["type"] if isinstance(said["type"], list) else [said["type"]]
    return _listed([_TYPES[kind] for kind in kinds if kind != "null"])


def _boolean_hint(found: Any) -> str:
    meant = _YAML_1_1.get(found.lower()) if isinstance(found, str) else None
    if meant is None:
        return ""
    return f"write {meant}" if found.lower() == meant else f"{found} is text in YAML 1.2: write {meant}"


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return text.isascii()


def spelled(value: Any) -> str:
    """A scalar as YAML spells it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def shown(value: Any) -> str:
    """A value as a sentence names it: its kind, and the value itself where it is short."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return spelled(value)
    if isinstance(value, str):
        text = value if len(value) <= _LONGEST else value[: _LONGEST - 1] + "…"
        return f'the text "{text}"' if value else "an empty text"
    if isinstance(value, (int, float)):
        return f"the number {value}"
    if isinstance(value, list):
        return f"a list of {len(value)}" if value else "an empty list"
    return f"fields ({_listed(list(value)[:4], 'and')})" if value else "no fields"


def _a(what: str) -> str:
    if what.endswith(("settings", "variants", "defaults")):
        return f"the {what}" if what != "boolean flag's variants" else "a boolean flag's variants"
    return f"an {what}" if what[0] in "aeiou" else f"a {what}"


def _listed(names: Any, last: str = "or") -> str:
    *most, end = [str(name) for name in names]
    return f"{', '.join(most)} {last} {end}" if most else end
