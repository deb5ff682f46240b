"""What an application imports: `from flagctl.client import Client`."""

from flagctl.client.client import Client
from flagctl.client.details import Details
from flagctl.client.events import Event

__all__ = ["Client", "Details", "Event"]
