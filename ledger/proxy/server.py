"""The proxy as a service: everything made, listening, and taken down in order.

Start: settings, upstreams, policy, secret, roles and certificates are read; what is wrong with any of them is
`Misconfigured`, and nothing listens. Then it listens, and says loudly what is not protected.

Stop (`stop` is set): no new connection, and calls on old ones are answered 503; calls at work go on for `drain_ms`,
then they are cancelled, and recorded so; then what is recorded is sent, or stored in the spool.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from aiohttp import web

from ledger.client.options import Options
from ledger.config import ProxyConfig
from ledger.config.address import Address, parse_address
from ledger.errors import Misconfigured
from ledger.gateway.faults import report_fault
from ledger.gateway.observe import ObservationServer
from ledger.identity.authority import Authority
from ledger.identity.tls import ServerTls, ssl_context
from ledger.proxy.admitting import Admission, Secret
from ledger.proxy.aws_signing import AwsSigner
from ledger.proxy.forwarding import Upstreams
from ledger.proxy.governing import Governing
from ledger.proxy.handling import Handler, Parts
from ledger.proxy.metrics import ProxyMetrics
from ledger.proxy.recorder_process import client_settings
from ledger.proxy.recording import ProcessWorker, Recording, Worker
from ledger.proxy.recording_frames import Settings
from ledger.proxy.upstreams import read_upstreams

log = logging.getLogger(__name__)

LOOK_EVERY_S = 2.0
CANCELLED_S = 5.0
"""What cancelled calls get to end."""

HEADERS_MAX = 256
LINE_BYTES_MAX = 64 * 1024


@dataclass(frozen=True, slots=True)
class Listening:
    """Where a running proxy listens."""

    address: Address
    metrics: Address


async def run_proxy(
    config: ProxyConfig,
    stop: asyncio.Event,
    on_ready: Callable[[Listening], None],
    start: Callable[[socket.socket], Worker] = ProcessWorker,
) -> None:
    """Runs a proxy until `stop` is set. `config` is complete: its policy, gateway and tenant are known."""
    check(config)
    metrics = ProxyMetrics()
    governing = Governing(Path(config.capture_policy), metrics.policy_taken)
    await asyncio.to_thread(governing.load)
    upstreams = read_upstreams(Path(config.upstreams))
    signers = {
        name: await asyncio.to_thread(AwsSigner, each) for name, each in upstreams.items() if each.kind == "bedrock"
    }
    secret = Secret.read(config.secret)
    authority = await asyncio.to_thread(Authority, Path(config.roles)) if config.roles else None
    outgoing = Upstreams(upstreams, config)
    recording = Recording(Settings(config, secret), start, config.stream_pending_bytes_max)
    admission = Admission(authority, config.all_tenants, config.tenant, known=config.callers == "known")
    parts = Parts(config, upstreams, signers, outgoing, admission, secret, governing, recording, metrics)
    try:
        await recording.open()
        await _serve(config, Handler(parts), parts, stop, on_ready)
    finally:
        await outgoing.close()
        if not await recording.close():
            log.error("the recorder did not end in time, and was killed")


def check(config: ProxyConfig) -> None:
    """Refuses what a proxy can't run with."""
    for name in ("capture_policy", "to"):
        if not getattr(config, name):
            raise Misconfigured(f"proxy.{name}: is missing; a proxy that runs in no ledger's home needs it")
    if not config.all_tenants:
        raise Misconfigured("proxy.tenant: is missing; give it, or proxy.tenants, whose names calls then must give")
    for tenant in config.all_tenants:
        Options(to=config.to, tenant=tenant, **client_settings(config))
    if config.callers == "known" and not config.roles:
        raise Misconfigured('proxy.callers: "known" needs proxy.roles, which says who they are')
    if config.tls_client_ca and not config.roles:
        raise Misconfigured("proxy.tls_client_ca: expected proxy.roles with it: whose certificates they are")


async def _serve(
    config: ProxyConfig, handler: Handler, parts: Parts, stop: asyncio.Event, on_ready: Callable[[Listening], None]
) -> None:
    _watch(handler, parts)
    tls = _tls(config)
    context = None if tls is None else ssl_context(tls, require_client=True)
    server = web.Server(
        handler,
        handler_cancellation=True,
        access_log=None,
        auto_decompress=False,
        keepalive_timeout=config.keep_alive_ms / 1_000,
        max_line_size=LINE_BYTES_MAX,
        max_field_size=config.header_bytes_max,
        max_headers=HEADERS_MAX,
    )
    runner = web.ServerRunner(server, shutdown_timeout=CANCELLED_S)
    await runner.setup()
    observe = ObservationServer(
        parse_address(config.metrics_listen, "proxy.metrics_listen"),
        parts.metrics.registry,
        lambda: not handler.stopping,
    )
    looking = asyncio.create_task(_look(parts.governing))
    try:
        site = web.TCPSite(runner, config.address.host, config.address.port, ssl_context=context)
        try:
            await site.start()
        except OSError as error:
            raise Misconfigured(f"proxy.listen: cannot listen on {config.listen}: {error.strerror}") from None
        address = config.address.with_port(runner.addresses[0][1])
        observe.start()
        _say(config, address, parts)
        on_ready(Listening(address, observe.address))
        await stop.wait()
        handler.stop()
        await site.stop()
        await _drained(handler, config.drain_ms / 1_000)
    finally:
        handler.stop()
        looking.cancel()
        await runner.cleanup()
        observe.close()


async def _drained(handler: Handler, within_s: float) -> None:
    """Returns when no call is at work, or the time is over."""
    try:
        async with asyncio.timeout(within_s):
            await handler.idle.wait()
    except TimeoutError:
        log.warning("%d calls were still at work when the time to drain was over, and are cancelled", handler.in_flight)
        handler.cancel()


async def _look(governing: Governing) -> None:
    """Keeps up with the policy's file."""
    while True:
        await asyncio.sleep(LOOK_EVERY_S)
        try:
            await governing.look()
        except Exception as error:
            report_fault(error, "looking at the capture policy")


def _tls(config: ProxyConfig) -> ServerTls | None:
    if not config.tls_certificate:
        return None
    client_ca = Path(config.tls_client_ca) if config.tls_client_ca else None
    return ServerTls(Path(config.tls_certificate), Path(config.tls_key), client_ca)


def _say(config: ProxyConfig, address: Address, parts: Parts) -> None:
    """What an operator must know of what was started."""
    if not config.tls_certificate:
        who = "this machine can" if address.is_loopback else "EVERYBODY ON THE WAY CAN"
        log.warning("the proxy listens on %s in clear: %s read prompts, answers and vendors' keys", address, who)
    if config.callers == "anyone":
        log.warning("whoever reaches %s may use the proxy; what callers say of themselves is a claim", address)
        for name in parts.signers:
            log.warning("whoever reaches %s uses the proxy's own AWS credentials of upstream %s", address, name)
    if not config.secret:
        log.warning("proxy.secret is not set: keyed hashes are other ones after a restart, and none of credentials")
    if config.on_ledger_down == "refuse":
        log.info("calls are refused while the ledger does not acknowledge their beginning")
    else:
        log.info("calls go on while the ledger is away; records wait in %s", config.spool)


def _watch(handler: Handler, parts: Parts) -> None:
    metrics, recording = parts.metrics, parts.recording
    metrics.watch("calls_in_flight", "Calls at work.", lambda: handler.in_flight)
    metrics.watch("bytes_held", "Bytes of calls at work and of what is to be recorded.", lambda: handler.held_bytes)
    metrics.watch("recorder_deaths", "Times that the recorder ended and was started again.", lambda: recording.deaths)
    metrics.watch("recorder_untold", "Messages for a recorder that was not there.", lambda: recording.untold)
    for name, text in (
        ("events", "Events made."),
        ("fields_mended", "Fields cut, replaced or left out so that an event could be taken."),
        ("records_lost", "Records that could not be made, or were refused for good."),
        ("faults", "Faults of the recorder itself: each stands in the log under its id."),
        ("spool_ready", "1: records would find a place in the spool."),
        ("ledger_spool_bytes", "Bytes in the spool."),
        ("ledger_queued_events", "Events that wait for the ledger in memory."),
        ("ledger_accepted", "Events that the ledger took."),
        ("ledger_repeated", "Events that the ledger had already."),
        ("ledger_rejected", "Events that the ledger refused for good."),
        ("ledger_dropped", "Events lost for want of room or time."),
        ("ledger_spool_lost_events", "Events in the spool that can't be sent any more."),
    ):
        metrics.watch(f"recorder_{name}", text, partial(recording.count, name))
