"""A service with OpenTelemetry's own SDK and exporter, as a process: makes spans, notes which were acknowledged.

    python -m tests.ledger.gateway.otlp.exporting grpc|http ENDPOINT SPANS FILE

Each acknowledged span is a line of FILE, `<trace id><span id>` in hex, written once its batch was answered with
success.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

TIMEOUT_S = 120
QUEUE = 2_048
BATCH = 256
HEADERS = {"x-ledger-tenant": "acme"}


class Noting(SpanExporter):
    """The stock exporter, and a note of each batch that it says was taken."""

    def __init__(self, exporter: SpanExporter, file: Path) -> None:
        self._exporter = exporter
        self._file = file.open("a", encoding="ascii")
        self.ended = 0
        self.changed = threading.Condition()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """As the stock exporter does."""
        result = self._exporter.export(spans)
        if result is SpanExportResult.SUCCESS:
            for span in spans:
                context = span.get_span_context()
                if context is not None:
                    self._file.write(f"{context.trace_id:032x}{context.span_id:016x}\n")
            self._file.flush()
        with self.changed:
            self.ended += len(spans)
            self.changed.notify_all()
        return result

    def shutdown(self) -> None:
        """End."""
        self._exporter.shutdown()
        self._file.close()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Nothing is held here."""
        return True


def exporter(protocol: str, endpoint: str) -> SpanExporter:
    """The stock exporter of a protocol, with gzip."""
    given: dict[str, Any] = {"timeout": TIMEOUT_S, "headers": HEADERS}
    if protocol == "grpc":
        from grpc import Compression
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter

        return GrpcExporter(endpoint=f"http://{endpoint}", insecure=True, compression=Compression.Gzip, **given)
    from opentelemetry.exporter.otlp.proto.http import Compression as HttpCompression
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpExporter

    return HttpExporter(endpoint=f"http://{endpoint}/v1/traces", compression=HttpCompression.Gzip, **given)


def main() -> None:
    """Export; exit when all spans' batches have ended, one way or the other."""
    protocol, endpoint, count, file = sys.argv[1], sys.argv[2], int(sys.argv[3]), Path(sys.argv[4])
    logging.basicConfig(level=logging.ERROR)
    noting = Noting(exporter(protocol, endpoint), file)
    processor = BatchSpanProcessor(noting, max_queue_size=QUEUE, max_export_batch_size=BATCH, schedule_delay_millis=200)
    provider = TracerProvider(resource=Resource.create({"service.name": f"shop-{protocol}"}))
    provider.add_span_processor(processor)
    tracer = provider.get_tracer("shop")
    for number in range(count):
        with noting.changed:
            # The SDK drops what does not fit into its queue; a service that waits loses nothing.
            noting.changed.wait_for(lambda number=number: number - noting.ended < QUEUE // 2)
        with tracer.start_as_current_span("chat gpt-4o") as span:
            span.set_attribute("gen_ai.operation.name", "chat")
            span.set_attribute("gen_ai.provider.name", "openai")
            span.set_attribute("gen_ai.request.model", "gpt-4o")
            span.set_attribute("gen_ai.input.messages", f'[{{"role":"user","content":"Question {number}?"}}]')
            span.set_attribute("gen_ai.conversation.id", f"conversation-{number // 10}")
    provider.shutdown()


if __name__ == "__main__":
    main()
