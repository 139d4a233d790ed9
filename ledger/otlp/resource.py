"""Whose telemetry it is: what a resource says of the service, the tenant and the sampling.

| event                        | resource attribute |
| ---------------------------- | ------------------ |
| `producer.service`           | `service.name`; a default such as `unknown_service:python` is none |
| `producer.version`           | `service.version`, `langfuse.release` |
| `producer.environment`       | `deployment.environment.name`, `deployment.environment`, `langfuse.environment` |
| `producer.instance`          | `service.instance.id` |
| `producer.declared_sampling` | `ledger.sampling`: the fraction of operations that is recorded, above 0, at most 1 |
| (the tenant)                 | `ledger.tenant`: asked for by the receiver, never believed without its leave |

What every span of the service shares may stand on the resource as well: `ledger.ai_system`, `ledger.use_case`,
`ledger.purpose`, `ledger.classification`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from ledger.otlp.names import fits
from ledger.otlp.values import Value, key_values, number_of, text_of

TENANT, SAMPLING = "ledger.tenant", "ledger.sampling"
SERVICE = ("service.name",)
VERSION = ("service.version", "langfuse.release")
ENVIRONMENT = ("deployment.environment.name", "deployment.environment", "langfuse.environment")
INSTANCE = ("service.instance.id",)
SHARED = ("ledger.ai_system", "ledger.use_case", "ledger.purpose", "ledger.classification")
_NO_SERVICE = "unknown_service"
_DEPTH_MAX = 4


@dataclass(frozen=True, slots=True)
class Service:
    """Who sent it, as far as it says: empty where it does not. `left_over`: what could not be a name, by attribute."""

    service: str
    version: str
    environment: str
    instance: str
    tenant: str | None
    sampling: float | None
    shared: Mapping[str, Value]
    left_over: Mapping[str, Value]


def resource_service(resource: Resource) -> Service:
    """What a resource says."""
    attributes, _ = key_values(resource.attributes, _DEPTH_MAX)
    left_over: dict[str, Value] = {}

    def named(keys: tuple[str, ...]) -> str:
        for key in keys:
            text = text_of(attributes.get(key))
            if text is None or text == _NO_SERVICE or text.startswith(_NO_SERVICE + ":"):
                continue
            if fits(text):
                return text
            left_over[key] = attributes[key]
        return ""

    return Service(
        service=named(SERVICE),
        version=named(VERSION),
        environment=named(ENVIRONMENT),
        instance=named(INSTANCE),
        tenant=text_of(attributes.get(TENANT)),
        sampling=fraction_of(attributes.get(SAMPLING)),
        shared={key: attributes[key] for key in SHARED if key in attributes},
        left_over=left_over,
    )


def fraction_of(value: Value) -> float | None:
    """A fraction above 0, at most 1."""
    number = number_of(value)
    return number if number is not None and 0 < number <= 1 else None
