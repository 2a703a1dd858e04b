"""The HTTP door: flags by OFREP, definitions and their stream, event intake, documents, health.

`create_app(live)` is the ASGI application; `serve(live)` runs it until a signal and stops without losing anything
that was acknowledged.
"""

from paribus.server.application import create_app
from paribus.server.serve import serve

__all__ = ["create_app", "serve"]
