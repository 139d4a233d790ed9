"""Log records to events."""

from __future__ import annotations

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from ledger.otlp.mapped import Mapped, MappingOptions


def map_logs(request: ExportLogsServiceRequest, tenant: str, options: MappingOptions | None = None) -> Mapped:
    """What the log records of an export become in the ledger of this tenant. Never raises for what a request holds."""
    count = sum(len(scope.log_records) for resource in request.resource_logs for scope in resource.scope_logs)
    return Mapped((), (), count)
