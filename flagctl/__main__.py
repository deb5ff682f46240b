"""`python -m flagctl` is `flagctl`."""

from flagctl.cli.main import run

run()
