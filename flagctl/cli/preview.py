"""What a change would do and to whom, shown before it is made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flagctl.cli.output import Output
    from flagctl.model.repository import Repository
    from flagctl.plan.plan import Plan


class Preview:
    """A flagctl.history.change.Preview. subject: what the change is called; quiet: show nothing, keep the plan."""

    def __init__(self, out: Output, subject: str, now: float, *, quiet: bool) -> None:
        self.out = out
        self.subject = subject
        self.now = now
        self.quiet = quiet
        self.plan: Plan | None = None

    def __call__(self, before: Repository, after: Repository) -> Plan:
        """Show the plan on a terminal, and return it."""
        from flagctl.cli.formats import plan as shown
        from flagctl.plan.approve import of_change

        self.plan = of_change(before, after, subject=self.subject, now=self.now)
        if not self.quiet:
            shown.show(self.out, self.plan)
            self.out.data("")
        return self.plan

    def document(self) -> dict[str, Any] | None:
        """The plan for programs; None when nothing was to be changed."""
        from flagctl.plan.document import document

        return None if self.plan is None else document(self.plan)
