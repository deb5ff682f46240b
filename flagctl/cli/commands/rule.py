"""`flagctl rule …`."""

from typing import Annotated

import typer

from flagctl.cli.options import Json


def complete_rule(incomplete: str) -> list[str]:
    """Ids of rules that begin with what was typed."""
    from flagctl.check.catalogue import catalogue

    return [rule for rule in catalogue() if rule.startswith(incomplete)]


def list_rules(ctx: typer.Context, as_json: Json = False) -> None:
    """List the rules that `check` applies.

    \b
    Examples:
      flagctl rule list
      flagctl rule list --json
    """
    from flagctl.check.catalogue import catalogue
    from flagctl.cli.formats import rules as shown

    rules = list(catalogue().values())
    if as_json:
        ctx.obj.out.json({"format": "flagctl/rules/1", "rules": [shown.document(rule) for rule in rules]})
    else:
        ctx.obj.out.table(["RULE", "SEVERITY", "WHAT"], [[rule.id, rule.severity, rule.title] for rule in rules])


def show(
    ctx: typer.Context,
    rule: Annotated[str, typer.Argument(metavar="RULE", help="The rule's id.", autocompletion=complete_rule)],
) -> None:
    """Explain a rule: why it is there, what is wrong, what is right.

    \b
    Examples:
      flagctl rule show split-sum
      flagctl rule show shadowed-rule
    """
    from flagctl.check.catalogue import named
    from flagctl.cli.formats import rules as shown

    ctx.obj.out.data(shown.page(named(rule)))


GROUP = {"list": list_rules, "show": show}
