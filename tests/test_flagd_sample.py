"""The sample repository as a service reads it that has OpenFeature's flagd provider and a file."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from openfeature import api
from openfeature.contrib.provider.flagd import FlagdProvider
from openfeature.contrib.provider.flagd.config import ResolverType
from openfeature.evaluation_context import EvaluationContext
from specs import ROOT

PEOPLE: list[dict[str, Any]] = [
    {"targetingKey": "ada", "country": "DE", "email": "ada@example.com", "app_version": "2.10.0", "age": 30},
    {"targetingKey": "ben-7", "country": "US", "account": {"id": 7, "plan": "plus"}, "groups": ["beta"]},
    {"targetingKey": "", "signed_in": True, "cart_value": 99.5, "signed_up_at": "2023-05-01T10:00:00Z"},
]


def test_the_provider_answers_like_eval(tmp_path: Path, flagctl: Callable[..., Any]) -> None:
    shutil.copytree(ROOT / "flags", tmp_path / "sample/flags")
    file = tmp_path / "flagd.json"
    done = flagctl("build", "production", "--format", "flagd", "-o", file, cwd=tmp_path / "sample")
    assert done.returncode == 0, done.stderr
    flags = json.loads(file.read_text())["flags"]
    assert len(flags) >= 8
    provider = FlagdProvider(resolver_type=ResolverType.FILE, offline_flag_source_path=str(file))
    api.set_provider_and_wait(provider)
    try:
        client = api.get_client()
        for person in PEOPLE:
            asked = flagctl("eval", "--all", "-e", "production", "--context", "-", "--json",
                            input=json.dumps(person), cwd=tmp_path / "sample")  # fmt: skip
            answers = json.loads(asked.stdout)["flags"]
            rest = {name: value for name, value in person.items() if name != "targetingKey"}
            context = EvaluationContext(person["targetingKey"], rest)
            for key, flag in flags.items():
                kind = type(next(iter(flag["variants"].values()))).__name__
                method = {"bool": "boolean", "str": "string", "int": "integer", "float": "float", "dict": "object"}[
                    kind
                ]
                found = getattr(client, f"get_{method}_details")(key, None, context)
                ours = (answers[key]["value"], answers[key]["variant"], None)
                assert (found.value, found.variant, found.error_code) == ours, key
                assert found.flag_metadata["flagSetId"] == "production"
    finally:
        api.shutdown()
