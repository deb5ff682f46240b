"""What an application imports: `from flagctl.client import Client`.

client      Client: answers from the snapshot at hand, never waits for the network
aio         AsyncClient, for asyncio
provider    FlagctlProvider, for OpenFeature
middleware  previews for ASGI and WSGI applications
testing     answers that a test chooses, and clients that need no source
recorder    Recorder: counts, and exposures of experiments
sinks       where a Recorder's batches go
telemetry   evaluations in OpenTelemetry's words
browser/    an ES module: previews in a page, on top of OFREP

details     an answer with all that is known of it
events      what a client tells, and its figures
answers     how an answer is found when asking the snapshot is not enough: previews, staleness, counting
scope       previews, forced values and one snapshot, for one piece of work
book        where questions are written down until they are counted, in bounded memory
counts      how often each flag was asked for, by whom

held        a snapshot in hand, made from bytes and believed
keeper      keeps one snapshot fresh: where to look, what to believe, when to look again
feed        one thread for all clients of a source
driver      what that thread, or an event loop, waits for
cache       the last good snapshot on disk
lifetime    the open clients of a process: its end, and forks

previews    what a request asks for, whether it may, what the browser is told
cookie      the sealed cookie of a preview
tokens      the JSON Web Tokens that allow one
"""

from flagctl.client.client import Client
from flagctl.client.details import Details
from flagctl.client.events import Event

__all__ = ["Client", "Details", "Event"]
