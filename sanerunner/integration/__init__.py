"""The integration server: a site on populated test databases, put back between specs."""

from .client import Client, ControlError, Cookie

__all__ = ["Client", "ControlError", "Cookie"]
