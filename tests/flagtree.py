"""Flag repositories in memory, and what `check` says of them."""

from __future__ import annotations

from collections.abc import Mapping

from flagctl.check.run import check
from flagctl.errors import OutsideError
from flagctl.files.repository import Reading, read_repository
from flagctl.files.walk import Tree
from flagctl.model import times
from flagctl.problems import Problem

NOW = times.seconds("2027-01-01") or 0

SETTINGS = "environments:\n  production: {}\n"
ATTRIBUTES = """\
attributes:
  account_id: {type: string}
  age: {type: integer}
  app_version: {type: semver}
  country: {type: string}
  email: {type: string, private: true}
  paying: {type: boolean}
  plan: {type: string, values: [free, pro, premium]}
  roles: {type: array}
  score: {type: number}
  signed_up: {type: datetime}
  account: {type: object}
"""
FLAG = "flags/production/example.yaml"


class TextTree(Tree):
    """Files by path; text with lone surrogates stands for bytes that are not UTF-8."""

    def __init__(self, files: Mapping[str, str]) -> None:
        self.files = {"flags/flagctl.yaml": SETTINGS, "flags/attributes.yaml": ATTRIBUTES} | dict(files)
        self.refused: dict[str, str] = {}

    def paths(self, under: str = "flags") -> list[str]:
        return sorted(path for path in self.files if path.startswith(under))

    def read(self, path: str) -> bytes:
        if path not in self.files:
            raise OutsideError(f"{path} is not there")
        return self.files[path].encode("utf-8", "surrogateescape")


def reading(files: str | Mapping[str, str]) -> Reading:
    """A repository of these files, or of one production flag, with settings and attributes around them."""
    return read_repository(TextTree({FLAG: files} if isinstance(files, str) else files))


def problems(files: str | Mapping[str, str], now: float = NOW, *, flagd: bool = False) -> list[Problem]:
    """What `check` finds; what flagd can't say only where that is asked for."""
    return [problem for problem in check(reading(files), now) if flagd or not problem.rule.startswith("flagd-")]


def flag(rest: str = "", **head: str) -> str:
    """A flag file with the fields every flag needs."""
    fields = {"description": "An example.", "owner": "{team: growth}"} | head
    return "".join(f"{name}: {value}\n" for name, value in fields.items()) + rest
