"""The files of a new flag repository, as text."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

EXAMPLE = "example-banner"
_BARE = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_NOT_BARE = {"null", "true", "false", "yes", "no", "on", "off", "y", "n"}
"""What YAML 1.2 or 1.1 reads as something else than text."""

_SETTINGS = """\
# yaml-language-server: $schema=../schema/settings.schema.json

# Environments in the order of promotion; each has a folder beside this file. A change to a protected one
# needs a reason. `flagctl publish` puts snapshots where `targets` say: file: is a folder beside flags/.
environments:
{environments}"""

_ATTRIBUTES = """\
# yaml-language-server: $schema=../schema/attributes.schema.json

# What services say of whoever asks; flags can only use what stands here. `targetingKey`, the id, need not.
# Types: string, integer, number, boolean, datetime, semver, array, object.
attributes:
  email: {type: string, private: true} # private: never leaves the process in an event or a log
  country: {type: string, description: ISO 3166}
"""

_FLAG = """\
# yaml-language-server: $schema=../../schema/flag.schema.json

# An example to look at and to change. `flagctl new KEY` starts a flag of your own.
description: Greet people with a banner.
owner: {{team: {team}}}
tags: [example]
{rest}"""

_ON = """\
default:
  serve: on
"""

_LAST = """\
rules: # the first that matches decides
  - name: staff
    when:
      - {attribute: email, ends_with: "@example.com"}
    serve: on
default: # everybody else; always the same ten percent
  rollout: 10
"""

_TESTS = """\
# yaml-language-server: $schema=../../schema/tests.schema.json

# `flagctl test` runs these.
tests:
  - name: staff see it everywhere
    context: {{targetingKey: user-1, email: carol@example.com}}
    expect: {{variant: on}}
  - name: a tenth of the others
    environment: {last}
    context: {{targetingKey: user-1}}
    bucket: 9.999 # stands in for the person's place between 0 and 100
    expect: {{variant: on, reason: SPLIT}}
  - name: not the rest
    environment: {last}
    context: {{targetingKey: user-1}}
    bucket: 10
    expect: {{variant: off}}
"""

GITATTRIBUTES = """\
# The same bytes on every machine, whatever its line ends; flag files merge by structure where
# `flagctl merge-driver --install` was run (`flagctl init` does), line by line elsewhere.
/flags/**/*.yaml text eol=lf merge=flagctl
/schema/*.json text eol=lf linguist-generated
"""

GITIGNORE = """\
# What `flagctl publish` writes here.
/published/
"""


def settings(environments: Sequence[str]) -> str:
    """`flags/flagctl.yaml`: each environment promotes from the one before, the last of several is protected."""
    lines = []
    for i, name in enumerate(environments):
        lines.append(f"  {_text(name)}:")
        if i:
            lines.append(f"    promotes_from: {_text(environments[i - 1])}")
        if 0 < i == len(environments) - 1:
            lines.append("    protected: true")
        lines.append('    targets: ["file:published"]')
    return _SETTINGS.format(environments="".join(line + "\n" for line in lines))


def example(environments: Sequence[str]) -> dict[str, str]:
    """An example flag in every environment, on for all but in the last, and its tests; text by path."""
    files = {
        f"flags/{name}/{EXAMPLE}.yaml": _FLAG.format(team="my-team", rest=_LAST if name == environments[-1] else _ON)
        for name in environments
    }
    return files | {f"flags/tests/{EXAMPLE}.yaml": _TESTS.format(last=_text(environments[-1]))}


def attributes() -> str:
    """`flags/attributes.yaml`."""
    return _ATTRIBUTES


def _text(name: str) -> str:
    return name if _BARE.fullmatch(name) and name.lower() not in _NOT_BARE else json.dumps(name)
