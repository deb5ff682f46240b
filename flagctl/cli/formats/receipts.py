"""What went out, told target by target as it happens: receipts on stdout, failures on stderr."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flagctl.cli.output import StdoutClosed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from flagctl.cli.output import Output
    from flagctl.publish.receipt import Receipt
    from flagctl.publish.several import Failure


def tell(
    out: Output, sent: Iterable[Receipt | Failure], outcomes: list[Receipt | Failure], *, receipts: bool = True
) -> None:
    """Take what `sent` gives, at the end of `outcomes` too, and show it; receipts only if they are wanted.

    Whoever reads our output may have enough of it; the targets that are left are published to all the same.
    """
    from flagctl.publish.receipt import Receipt, words

    closed: StdoutClosed | None = None
    hints = {""}
    for one in sent:
        outcomes.append(one)
        if not isinstance(one, Receipt):
            out.fail(one.told, "" if one.hint in hints else one.hint)
            hints.add(one.hint)
        elif receipts and closed is None:
            try:
                out.data(words(one))
            except StdoutClosed as error:
                closed = error
    if closed is not None:
        raise closed
