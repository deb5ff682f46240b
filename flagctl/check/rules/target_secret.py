"""A target's URL carries a password, and whoever reads the repository can read it.

Keep it in an environment variable of those who publish: `password_env` names one for Redis, and S3's credentials are
found where AWS's tools keep them. A password that was committed is to be changed: history keeps it.
"""

from __future__ import annotations

from collections.abc import Iterator

from flagctl.model.repository import Repository
from flagctl.problems import Problem, pointer
from flagctl.stores.masking import mask, secrets_in

ID = "target-secret"
SEVERITY = "error"
BAD = {
    "flags/flagctl.yaml": """\
environments:
  production:
    targets: ["redis://flags:s3cr3t@cache:6379/0"]    # <- for all to read
"""
}
GOOD = {
    "flags/flagctl.yaml": """\
environments:
  production:
    targets: [{url: "redis://cache:6379/0", username: flags, password_env: REDIS_PASSWORD}]
"""
}


def check_repository(repository: Repository) -> Iterator[Problem]:
    """Targets of all environments."""
    for name, environment in repository.settings.environments.items():
        for i, target in enumerate(environment.targets):
            if secrets_in(target.url):
                yield Problem(
                    rule=ID,
                    message=f"the target {mask(target.url)} carries a password or a token",
                    hint="take it out and change it where it is valid: history keeps it; for Redis write "
                    "username and password_env beside the url",
                    file="flags/flagctl.yaml",
                    pointer=pointer("environments", name, "targets", i),
                )
