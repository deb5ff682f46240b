"""A key that settings list can't be used.

It is no Ed25519 public key, its name stands there twice, or it is retired before it begins. Readers would believe
nobody, or not whom you meant.
"""

from __future__ import annotations

from collections.abc import Iterator

from flagctl.errors import UsageError
from flagctl.model.repository import Repository
from flagctl.problems import Problem, pointer
from flagctl.signing import public_key

ID = "signing-key"
SEVERITY = "error"
BAD = {
    "flags/flagctl.yaml": """\
environments: {production: {}}
keys:
  - name: release-2027
    public: ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQ    # <- not an Ed25519 key
"""
}
GOOD = {
    "flags/flagctl.yaml": """\
environments: {production: {}}
keys:
  - name: release-2027
    public: ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILTFKnvsn7yQS4haKPjOvPAdBLomWsr/5pFk19W4m51A
    until: 2028-01-01
"""
}


def check_repository(repository: Repository) -> Iterator[Problem]:
    """Each key of the settings."""
    names: set[str] = set()
    for i, key in enumerate(repository.settings.keys):

        def problem(message: str, field: str, hint: str = "", *, at: int = i) -> Problem:
            place = pointer("keys", at, field)
            return Problem(rule=ID, message=message, file="flags/flagctl.yaml", pointer=place, hint=hint)

        try:
            public_key(key.public)
        except UsageError as error:
            yield problem(error.message, "public", error.hint)
        if key.name in names:
            yield problem(f'the key "{key.name}" stands here twice', "name", "give each its own name, also over time")
        names.add(key.name)
        if key.since is not None and key.until is not None and key.since >= key.until:
            yield problem("retired before it begins", "until")
