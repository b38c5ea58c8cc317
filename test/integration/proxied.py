"""What the tests behind a proxy share."""

from harness import service


def trusting(handler, **keys):
    return service(handler, proxy_protocol="on",
                   **{"proxy_trusted": "127.0.0.0/8, ::1", "proxy_timeout_ms": 60000, **keys})


def facts_of(text):
    """What handlers/env shows: {name: value}, environment variables among them."""
    facts = {}
    for line in text.splitlines():
        name, _, value = line.partition(" ")
        if name == "environment":
            name, _, value = value.partition("=")
        facts.setdefault(name, value)
    return facts
