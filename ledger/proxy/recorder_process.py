"""The recorder's process: `python -m ledger.proxy.recorder_process FD`.

FD is one end of a socket pair; the proxy has the other. It is told its settings first, then calls (`recording_frames`).
It ends when the proxy says so, or is gone: after it has recorded what it was told, and sent that or stored it in the
spool. Signals that end a proxy don't end it: they reach both where both have one terminal, and what the proxy still has
to say would be lost.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from typing import BinaryIO, cast

import grpc

from ledger import __version__
from ledger.client import Client, tls, token_file
from ledger.client import options as client_options
from ledger.client.items import Rejection
from ledger.client.options import is_local
from ledger.config import ProxyConfig
from ledger.proxy.recorder import Publishers, Recorder
from ledger.proxy.recording_frames import Settings, ToProxy, framed, read_frame
from ledger.v1.event_pb2 import CapturePath

log = logging.getLogger(__name__)

SERVICE = "audit-ledger-proxy"
STANDING_EVERY_S = 0.2
CLOSE_TIMEOUT_S = 10.0
BUFFER_BYTES = 1024 * 1024
SPOOL_AFTER_MS = 200
RPC_TIMEOUT_MS = 5_000
NICENESS = 5


def record(connection: socket.socket) -> bool:
    """Records what comes until there is no more; whether nothing was lost."""
    stream = cast(BinaryIO, connection.makefile("rb", BUFFER_BYTES))
    settings = read_frame(stream)
    if not isinstance(settings, Settings):
        return True
    lock = threading.Lock()

    def tell(message: ToProxy) -> None:
        try:
            with lock:
                connection.sendall(framed(message))
        except OSError:
            # The proxy is gone: what it was to be told is of no use to anybody.
            ended.set()

    ended = threading.Event()
    config = settings.config
    recorder = Recorder(
        {name: _publishers(config, name, lambda each: recorder.rejected(each)) for name in config.all_tenants},
        tell,
        content_bytes_max=config.content_bytes_max,
        stand_in=settings.secret.stand_in,
    )

    def stand() -> None:
        while not ended.wait(STANDING_EVERY_S):
            tell(recorder.standing())

    standing = threading.Thread(target=stand, name="proxy-recorder-standing", daemon=True)
    tell(recorder.standing())
    standing.start()
    try:
        while (message := read_frame(stream)) is not None:
            if not recorder.take(message):
                break
        else:
            log.error("the proxy is gone; recording what it had told")
            recorder.left_open()
    finally:
        stream.close()
        whole = recorder.close(CLOSE_TIMEOUT_S)
        ended.set()
        standing.join()
        tell(recorder.standing())
        connection.close()
    if not whole:
        log.error("the recorder ended with records that neither the ledger nor the spool has")
    return whole


def _publishers(config: ProxyConfig, tenant: str, rejected: Callable[[Rejection], None]) -> Publishers:
    settings: client_options.Settings = {**client_settings(config), "on_rejected": rejected}
    seen: client_options.Settings = {**settings, "numbered": False}
    return Publishers(Client(config.to, tenant, **settings), Client(config.to, tenant, **seen))


def client_settings(config: ProxyConfig) -> client_options.Settings:
    """What the clients of a proxy are told. `Misconfigured` when certificates can't be read."""
    return {
        "service": SERVICE,
        "version": __version__,
        "environment": config.environment,
        "capture_path": CapturePath.CAPTURE_PATH_PROXY,
        "credentials": _credentials(config),
        "token": token_file(config.token_file) if config.token_file else None,
        "spool_dir": config.spool,
        "spool_bytes_max": config.spool_bytes_max,
        "spool_after_ms": SPOOL_AFTER_MS,
        "rpc_timeout_ms": RPC_TIMEOUT_MS,
    }


def _credentials(config: ProxyConfig) -> grpc.ChannelCredentials | None:
    if not config.ca and not config.certificate and is_local(config.to):
        return None
    return tls(config.ca or None, config.certificate or None, config.key or None)


def main() -> int:
    """The exit code."""
    for each in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(each, signal.SIG_IGN)
    # Where processors are scarce, streams go before their record.
    os.nice(NICENESS)
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    return 0 if record(socket.socket(fileno=int(sys.argv[1]))) else 1


if __name__ == "__main__":
    sys.exit(main())
