"""Plays the scenarios of proto/conformance, and drives the drivers of every client.

Put `proto/conformance` on the path: `from runner import Driver, LANGUAGES`.
"""

from .driver import LANGUAGES, Driver, DriverFault, Failed, Pending, Unsupported

__all__ = ["LANGUAGES", "Driver", "DriverFault", "Failed", "Pending", "Unsupported"]
