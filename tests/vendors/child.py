"""Runs an application of docs/VENDORS.md by itself: `python -m tests.vendors.child FOLDER APPLICATION USER SESSION`.

FOLDER holds the document's modules. The vendors' host names resolve to this machine, so that endpoints read as they do
in production; the base URLs, in the clients' own environment variables, bring the loopback vendor's port. Prints, as
JSON, what each case answered or which error it raised. Every case is a request of a web framework that is traced too.
Instrumentation changes a whole process: every run has its own.
"""

from __future__ import annotations

import importlib
import json
import socket
import sys
from typing import Any

from tests.vendors.turns import CUT, INVALID, OVERLOADED

QUESTION = "Where is order 1001? Write to mia.lindqvist@example.org."
CASES = {
    "whole": (QUESTION, False),
    "stream": (QUESTION, True),
    "error": (f"{QUESTION} {OVERLOADED}", False),
    "error-stream": (f"{QUESTION} {INVALID}", True),
    "cut": (f"{QUESTION} {CUT}", True),
}
VENDOR_HOSTS = ("api.openai.com", "api.anthropic.com", "openai.azure.com", "googleapis.com", "amazonaws.com")


def lead_home() -> None:
    """Vendors' names resolve to this machine; every other name as ever."""
    real = socket.getaddrinfo

    def found(host: Any, *arguments: Any, **named: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else str(host)
        return real("127.0.0.1" if name.endswith(VENDOR_HOSTS) else host, *arguments, **named)

    socket.getaddrinfo = found


def main(folder: str, application: str, user: str, session: str) -> None:
    """Runs all cases, then exports what is left."""
    sys.path.insert(0, folder)
    lead_home()
    telemetry = importlib.import_module("telemetry")
    app = importlib.import_module(application)
    web = telemetry.traces.get_tracer("web")
    told: dict[str, str] = {}
    for case, (question, stream) in CASES.items():
        try:
            with web.start_as_current_span("POST /chat"):
                told[case] = app.ask(user, session + case, question, stream=stream)
        except Exception as error:  # whichever the vendor's client raises: the test holds it to its name
            told[case] = type(error).__name__
    telemetry.traces.shutdown()
    telemetry.logs.shutdown()
    print(json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:])
