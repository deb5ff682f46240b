"""The settings in force, each with the place it comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flagctl.problems import parts_of

if TYPE_CHECKING:
    from flagctl.project import Project

FORMAT = "flagctl/config/1"
DEFAULT = "default"


def effective(project: Project) -> dict[str, Any]:
    """The document of `config show`. Raises ProblemsError when the settings file makes no sense."""
    from flagctl.files.locate import locate
    from flagctl.files.read import load
    from flagctl.files.walk import SETTINGS, classify
    from flagctl.stores.masking import named

    settings = project.settings()
    raw = project.tree.read(SETTINGS)
    text = raw.decode("utf-8-sig", "replace")
    written, _ = load(raw, SETTINGS)

    def origin(pointer: str) -> str:
        node = written
        for part in parts_of(pointer):
            if not isinstance(node, dict) or part not in node:
                return DEFAULT
            node = node[part]
        return f"{SETTINGS}:{locate(text, pointer, at_key=True)[0]}"

    values = {
        "/bucketing": settings.bucketing,
        "/defaults/cache_ttl_seconds": settings.cache_ttl_seconds,
        "/check/expired_grace_days": settings.expired_grace_days,
    } | {f"/check/severity/{rule}": severity for rule, severity in sorted(settings.severities.items())}
    flags = [entry.environment for entry in map(classify, project.tree.paths()) if entry.kind == "flag"]
    return {
        "format": FORMAT,
        "root": str(project.root),
        "settings": [
            {"name": pointer[1:].replace("/", "."), "value": value, "from": origin(pointer)}
            for pointer, value in values.items()
        ],
        "environments": [
            {
                "name": name,
                "promotes_from": environment.promotes_from or None,
                "protected": environment.protected,
                "targets": [named(target.url, target.options) for target in environment.targets],
                "flags": flags.count(name),
            }
            for name, environment in settings.environments.items()
        ],
    }
