"""`flagctl config`."""

import typer

from flagctl.cli.options import Json


def show(ctx: typer.Context, as_json: Json = False) -> None:
    """Show the settings in force, and where each comes from.

    \b
    Examples:
      flagctl config show
      flagctl config show --json
    """
    from flagctl.cli.effective import effective

    out, document = ctx.obj.out, effective(ctx.obj.project())
    if as_json:
        out.json(document)
        return
    out.say(f"the flag repository in {document['root']}")
    out.table(
        ["SETTING", "VALUE", "FROM"], [[row["name"], str(row["value"]), row["from"]] for row in document["settings"]]
    )
    out.data("")
    out.table(
        ["ENVIRONMENT", "PROMOTES FROM", "PROTECTED", "FLAGS", "TARGETS"],
        [
            [
                row["name"],
                row["promotes_from"] or "-",
                "yes" if row["protected"] else "no",
                str(row["flags"]),
                ", ".join(row["targets"]) or "-",
            ]
            for row in document["environments"]
        ],
    )


GROUP = {"show": show}
