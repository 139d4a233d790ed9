"""The gateway as a service: started, run, drained.

    start   keys, event log, address; then a first look at the log; then SERVING
    run     until told to stop, or until evidence does not add up
    drain   NOT_SERVING; no new call is accepted; calls in work end, at most `drain_ms`; then everything is closed

When an `IntegrityError` stopped the gateway it drains like that as well, and then raises it: whoever started the
process must not go on as if nothing had been.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from ledger import __version__
from ledger.config import GatewayConfig, LedgerConfig
from ledger.config.address import parse_address
from ledger.errors import IntegrityError, LedgerError, Misconfigured, Unavailable
from ledger.gateway.admission import Admission
from ledger.gateway.answer import ACCEPTED, REPEAT
from ledger.gateway.batches import BatchCutter
from ledger.gateway.callers import LEDGER, Callers
from ledger.gateway.capturing import Capturer
from ledger.gateway.clock import ReceptionClock
from ledger.gateway.governing import Governing
from ledger.gateway.health import Health, LogWatch
from ledger.gateway.intake import Intake, IntakeRules
from ledger.gateway.key_watch import KeyWatch
from ledger.gateway.listening import listen
from ledger.gateway.metrics import AppendOutcome, GatewayMetrics
from ledger.gateway.observe import ObservationServer
from ledger.gateway.otlp.export import Exporter, ExportLimits
from ledger.gateway.otlp.service import OtlpService
from ledger.gateway.otlp.signals import METRICS_SERVICE, SIGNALS
from ledger.gateway.own_records import OwnFiles, OwnRecords
from ledger.gateway.publisher import Publisher, PublisherLimits, Request
from ledger.gateway.remembered import RememberedEvents
from ledger.gateway.rpc import Edge
from ledger.gateway.sealed import SealedView
from ledger.gateway.service import SERVICE, IngestService
from ledger.home import Home, OpenKeys, gateway_key_name
from ledger.identity.authority import Authority
from ledger.identity.refusals import RefusalLog
from ledger.keys.process import ProcessKey
from ledger.keys.suppression import sweep
from ledger.log.interface import EventLog
from ledger.operations import Operations
from ledger.otlp import MappingOptions
from ledger.policy.register import PolicyRegister
from ledger.record.assemble import ContentLimits
from ledger.record.content import STORED_BYTES_MAX
from ledger.tenants import ORG
from ledger.trust.current_signer import CurrentSigner
from ledger.trust.reader import trust_reader
from ledger.v1 import event_pb2 as pb

if TYPE_CHECKING:
    from ledger.gateway.otlp.serving import OtlpServer

log = logging.getLogger(__name__)

OTLP_SERVICES = (*(each.service for each in SIGNALS), METRICS_SERVICE)

OTHER_CALLS_MAX = 256
"""Calls beyond those that are counted one by one: health, reflection, and those about to be turned away."""

FLUSH_S = 0.5
"""How long an answer may take from here to the network once its call has ended, while draining."""

SPOOL_SWEEP_S = 60.0
METADATA_BYTES_MAX = 16 * 1024
PING_LEAST_MS = 10_000
"""How often a caller may ping an idle connection."""


class Gateway:
    """One gateway over open keys and a started event log. Use it with `async with`; `run_gateway` does all of it.

    `config_file`: what it records the changes of, and those of the roles file; None: of neither.
    """

    def __init__(
        self,
        config: LedgerConfig,
        keys: OpenKeys,
        event_log: EventLog,
        sealed_view: SealedView | None = None,
        config_file: Path | None = None,
    ) -> None:
        self._config = config
        self._integrity_error: IntegrityError | None = None
        self._halted = asyncio.Event()
        gateway = config.gateway
        self._admission = Admission(
            gateway.publish_concurrency_max, gateway.publish_bytes_in_flight_max, gateway.retry_after_ms
        )
        self.metrics = GatewayMetrics(lambda: self._admission.calls, lambda: self._admission.bytes)
        self.health = Health()
        self._workers = ThreadPoolExecutor(gateway.worker_threads, thread_name_prefix="intake")
        self._spool_keys = keys.spool_keys(gateway)
        self._key_database = keys.database
        self._watch = LogWatch(event_log, self.health, self.metrics, gateway.health_check_ms / 1_000)
        self._key_watch = KeyWatch(keys.database, self.health, self.metrics, gateway.health_check_ms / 1_000)
        self._governing = Governing(config.ledger.capture_policy, PolicyRegister(keys.database), self.metrics)
        self._governing.load()
        self._publisher = _publisher(
            config,
            keys,
            event_log,
            Capturer(lambda: self._governing.current, keys.store.numbering_key),
            self._admission,
            self._workers,
            self.metrics,
            self._on_integrity_error,
            self._watch.appended,
        )
        self._refusals = RefusalLog(self._publish_into, "audit-ledger-gateway")
        self._own_records = _own_records(config, keys, config_file)
        authority = None if config.ledger.roles_file is None else Authority(config.ledger.roles_file)
        self._callers = Callers(ProcessKey.of(keys.database, keys.master), authority)
        self._service = self._ingest(keys, sealed_view)
        self._edge = Edge(self.metrics, self._on_integrity_error, self._refusals.refused)
        exporter = self._exporter(keys)
        self._otlp = OtlpService(exporter, self._callers, self._workers)
        self.otlp_http = self._otlp_http(exporter)
        self._server = _server(gateway)
        self.address, self.mtls_address = listen(self._server, gateway)
        metrics_address = parse_address(gateway.metrics_listen, "gateway.metrics_listen")
        self.observation = ObservationServer(metrics_address, self.metrics.registry, lambda: self.health.serving)

    async def start(self) -> None:
        """Accept calls."""
        handlers = (self._service.handlers(self._edge), *self._otlp.handlers(self._edge))
        self._server.add_generic_rpc_handlers(handlers)
        health_pb2_grpc.add_HealthServicer_to_server(self.health, self._server)
        if self._config.gateway.reflection:
            names = (
                SERVICE,
                *OTLP_SERVICES,
                health_pb2.DESCRIPTOR.services_by_name["Health"].full_name,
                reflection.SERVICE_NAME,
            )
            reflection.enable_server_reflection(names, self._server)
        await self._server.start()
        if self.otlp_http is not None:
            await self.otlp_http.start()
        self.observation.start()
        await self.look()

    async def look(self) -> None:
        """Look at event log and key store now, and state what was seen; `run` does so again and again."""
        await self._watch.look()
        await self._key_watch.look()

    async def run(self, stop: asyncio.Event) -> None:
        """Return when told to stop; raise the `IntegrityError` that made it stop by itself."""
        async with asyncio.TaskGroup() as background:
            tasks = [
                background.create_task(self._watched(self._watch.run())),
                background.create_task(self._watched(self._key_watch.run())),
                background.create_task(self._sweep_spool_keys()),
                background.create_task(self._governing.run(self._publish_own)),
                background.create_task(self._refusals.run()),
                background.create_task(self._own_records.run(self._publish_into)),
            ]
            waits = [background.create_task(stop.wait()), background.create_task(self._halted.wait())]
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            for task in (*tasks, *waits):
                task.cancel()

    async def drain(self) -> None:
        """Stop accepting, let what is in work end, close. Raises the `IntegrityError` that stopped the gateway."""
        drain_s = self._config.gateway.drain_ms / 1_000
        await self.health.close()
        stopping = asyncio.create_task(self._stop_serving(drain_s))
        await self._refusals.close()
        with suppress(TimeoutError):
            async with asyncio.timeout(drain_s):
                await self._publisher.drain()
        # Only streams without an end (reflection) and long waits are left, and answers on their way.
        await self._server.stop(FLUSH_S)
        await stopping
        self.observation.close()
        await asyncio.to_thread(self._workers.shutdown, wait=True, cancel_futures=True)
        if self._integrity_error is not None:
            raise self._integrity_error

    async def _stop_serving(self, within_s: float) -> None:
        async with asyncio.TaskGroup() as both:
            both.create_task(self._server.stop(within_s))
            if self.otlp_http is not None:
                both.create_task(self.otlp_http.drain(within_s))

    def _ingest(self, keys: OpenKeys, sealed_view: SealedView | None) -> IngestService:
        gateway = self._config.gateway
        return IngestService(
            self._publisher,
            keys.tenants,
            self._spool_keys,
            sealed_view,
            self._workers,
            self.metrics,
            callers=self._callers,
            await_sealed_s=gateway.await_sealed_ms / 1_000,
            await_sealed_concurrency_max=gateway.await_sealed_concurrency_max,
            retry_after_ms=gateway.retry_after_ms,
        )

    def _exporter(self, keys: OpenKeys) -> Exporter:
        gateway, otlp = self._config.gateway, self._config.otlp
        options = MappingOptions(
            # Where the gateway truncates, what is larger is left to it.
            content_bytes_max=gateway.content_bytes_max if gateway.oversize == "refuse" else STORED_BYTES_MAX,
            event_bytes_max=gateway.event_bytes_max,
            attributes_max=otlp.attributes_max,
            depth_max=otlp.depth_max,
            keep_context=otlp.context,
        )
        limits = ExportLimits(otlp.tenant, otlp.records_max, gateway.batch_events_max)
        return Exporter(self._publisher, keys.tenants.get, options, limits, self.metrics, self._refusals.refused)

    def _otlp_http(self, exporter: Exporter) -> OtlpServer | None:
        if self._config.otlp.http_address is None:
            return None
        # An HTTP server is imported where one listens; commands start this gateway, too, to record what they read.
        from ledger.gateway.otlp.serving import OtlpServer
        from ledger.gateway.otlp.web import OtlpWeb

        retry_after_ms = self._config.gateway.retry_after_ms
        answering = OtlpWeb(
            self._config.otlp, exporter, self._callers, self._edge, self._workers, self.metrics, retry_after_ms
        )
        return OtlpServer(self._config, answering)

    def _on_integrity_error(self, error: IntegrityError) -> None:
        """Take nothing more: evidence does not add up."""
        if self._integrity_error is None:
            log.critical("the gateway stops: %s", error)
            self._integrity_error = error
        self._admission.close()
        self._halted.set()

    async def _watched(self, watch: Coroutine[Any, Any, None]) -> None:
        try:
            await watch
        except IntegrityError as error:
            self._on_integrity_error(error)

    async def _publish_own(self, event: pb.Event) -> None:
        """Publish an event of the ledger's own into `_org`; `Unavailable` unless it is durable then."""
        await self._publish_into(ORG, event)

    async def _publish_into(self, tenant: str, event: pb.Event) -> None:
        """The same into any tenant."""
        request = Request(tenant, (event.SerializeToString(deterministic=True),))
        response = await self._publisher.publish(len(request.events[0]), lambda: request, LEDGER, None)
        if response.results[0].status not in (ACCEPTED, REPEAT):
            raise Unavailable(f"an event of the ledger's own was not taken: {response.results[0].reason}")

    async def _sweep_spool_keys(self) -> None:
        while True:
            try:
                await asyncio.to_thread(self._spool_keys.destroy_expired, int(time.time()))
            except LedgerError as error:
                log.warning("spool keys whose time is over could not be destroyed: %s", error)
            try:
                await asyncio.to_thread(sweep, self._key_database, time.time_ns() // 1_000_000)
            except LedgerError as error:
                log.warning("persons who were erased long enough ago could not be forgotten: %s", error)
            await asyncio.sleep(SPOOL_SWEEP_S)


async def run_gateway(
    home: Home,
    config: LedgerConfig,
    stop: asyncio.Event,
    on_ready: Callable[[str], None],
    sealed_view: SealedView | None = None,
    on_otlp_ready: Callable[[str], None] = lambda _address: None,
    *,
    is_private: bool = False,
) -> None:
    """Run a gateway of this home until `stop` is set, then drain it.

    `on_ready` gets the address once events can be sent to it; before that `on_otlp_ready` gets that of OTLP over HTTP,
    where there is one. `is_private`: it is only there for what one command has to say. Raises `Misconfigured` or
    `Unavailable` when it cannot start, and `IntegrityError` when evidence stopped it.
    """
    async with AsyncExitStack() as stack:
        keys = await asyncio.to_thread(home.keys, config)
        stack.callback(keys.close)
        event_log = await stack.enter_async_context(_started(home.event_log(config)))
        gateway = Gateway(config, keys, event_log, sealed_view, None if is_private else home.config_file)
        try:
            await gateway.start()
            log.info("gateway listens on %s, metrics on %s", gateway.address, gateway.observation.address)
            if gateway.mtls_address is not None:
                log.info("gateway listens on %s for producers with certificates", gateway.mtls_address)
            if gateway.otlp_http is not None:
                log.info("gateway listens on %s for OTLP over HTTP", gateway.otlp_http.address)
                on_otlp_ready(str(gateway.otlp_http.address))
            on_ready(str(gateway.address))
            await gateway.run(stop)
        finally:
            await gateway.drain()


@asynccontextmanager
async def _started(event_log: EventLog) -> AsyncIterator[EventLog]:
    await event_log.start()
    try:
        yield event_log
    finally:
        await event_log.close()


def _publisher(
    config: LedgerConfig,
    keys: OpenKeys,
    event_log: EventLog,
    capturer: Capturer,
    admission: Admission,
    workers: ThreadPoolExecutor,
    metrics: GatewayMetrics,
    on_integrity_error: Callable[[IntegrityError], None],
    on_append: Callable[[AppendOutcome, float, float], Awaitable[None]],
) -> Publisher:
    gateway, ledger = config.gateway, config.ledger
    if keys.tenants.partitions() > event_log.partitions:
        raise Misconfigured(
            f"event log: the ledger has {keys.tenants.partitions()} partitions, the log {event_log.partitions}"
        )
    key_name = gateway_key_name(ledger.name, gateway.gateway_id)
    signer = CurrentSigner(keys.store, "gateway", key_name, trust_reader(ledger.trust))
    signer(time.time_ns() // 1_000)  # a gateway that can't sign says so before it takes anything
    cutter = BatchCutter(
        signer,
        key_name,
        gateway.gateway_id,
        ledger.incarnation_bytes,
        gateway.sealing_delay_ms,
        event_log.batch_bytes_max,
    )
    rules = IntakeRules(
        ContentLimits(gateway.content_bytes_max, gateway.oversize),
        gateway.event_bytes_max,
        gateway.gateway_id,
        __version__,
    )
    remembered = RememberedEvents(gateway.remembered_events_max)
    intake = Intake(rules, keys.store, capturer, cutter, remembered, ReceptionClock())
    limits = PublisherLimits(
        gateway.batch_events_max, gateway.append_deadline_ms / 1_000, gateway.appends_in_flight_max
    )
    return Publisher(
        limits, admission, keys.tenants, intake, event_log, remembered, workers, metrics, on_integrity_error, on_append
    )


def _own_records(config: LedgerConfig, keys: OpenKeys, config_file: Path | None) -> OwnRecords:
    roles_file = None if config_file is None else config.ledger.roles_file
    files = OwnFiles(config.gateway.gateway_id, config_file, roles_file)
    return OwnRecords(Operations(keys.database), files)


def _server(config: GatewayConfig) -> grpc.aio.Server:
    options: Sequence[tuple[str, int]] = (
        ("grpc.so_reuseport", int(config.reuse_port)),
        ("grpc.max_receive_message_length", config.message_bytes_max),
        ("grpc.max_send_message_length", config.message_bytes_max),
        ("grpc.max_metadata_size", METADATA_BYTES_MAX),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.min_recv_ping_interval_without_data_ms", PING_LEAST_MS),
    )
    calls_max = config.publish_concurrency_max + config.await_sealed_concurrency_max + OTHER_CALLS_MAX
    return grpc.aio.server(options=options, maximum_concurrent_rpcs=calls_max)
