"""A target can't be published to as it is written.

Its URL names an unknown scheme, no bucket or no host, or something stands beside it that does not belong there.
"""

from __future__ import annotations

from collections.abc import Iterator

from flagctl.errors import UsageError
from flagctl.model.repository import Repository
from flagctl.problems import Problem, pointer
from flagctl.stores import require_store
from flagctl.stores.masking import secrets_in

ID = "target"
SEVERITY = "error"
BAD = {
    "flags/flagctl.yaml": """\
environments:
  production:
    targets:
      - "s4://bucket/flags"    # <- s3
      - {url: "redis://cache:6379/0", region: eu-central-1}    # <- Redis has none
"""
}
GOOD = {
    "flags/flagctl.yaml": """\
environments:
  production:
    targets:
      - "s3://bucket/flags"
      - {url: "redis://cache:6379/0", prefix: shop}
"""
}


def check_repository(repository: Repository) -> Iterator[Problem]:
    """Targets of all environments."""
    for name, environment in repository.settings.environments.items():
        for i, target in enumerate(environment.targets):
            if secrets_in(target.url):
                continue  # another rule's
            try:
                require_store(target.url, target.options)
            except UsageError as error:
                yield Problem(
                    rule=ID,
                    message=error.message,
                    hint=error.hint,
                    file="flags/flagctl.yaml",
                    pointer=pointer("environments", name, "targets", i),
                )
