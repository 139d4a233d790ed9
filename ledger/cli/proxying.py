"""The command `proxy`."""

from __future__ import annotations

import asyncio
import os
from dataclasses import fields
from pathlib import Path
from typing import Any

import click

from ledger.cli.options import home_option, json_option, open_home
from ledger.cli.output import print_json, print_table
from ledger.cli.running import run_service
from ledger.config import ProxyConfig, load_proxy
from ledger.policy import parse_policy
from ledger.policy.document import FILE_BYTES_MAX
from ledger.policy.rules import CLASSES, UNCLASSIFIED
from ledger.proxy.deciding import Decider, Question
from ledger.proxy.ready import completed
from ledger.proxy.server import Listening, check, run_proxy
from ledger.proxy.upstreams import Upstream, read_upstreams

READY = "proxy ready on "
File = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.command(short_help="Run the recording proxy in front of model vendors.")
@home_option
@click.option("--config", type=File, help="Configuration for a proxy outside of a home: its [proxy] section.")
@click.option("--listen", metavar="HOST:PORT", help="Address of the proxy; port 0 takes a free one.")
@click.option("--metrics-listen", metavar="HOST:PORT", help="Address of /metrics and /healthz.")
@click.option("--to", metavar="HOST:PORT", help="The gateway. Default: the one this home's configuration names.")
@click.option("--upstreams", type=File, help="File of the endpoints behind it.")
@click.option("--tenant", help="The tenant of calls that name none.")
@click.option("--check", "is_check", is_flag=True, help="Read everything, say what it would do, and end.")
@json_option
def proxy(home: Path, config: Path | None, is_check: bool, as_json: bool, **flags: Any) -> None:
    """Run the recording proxy: an HTTP server in front of the endpoints of model vendors. A service changes its base
    URL, and nothing else; what passes is recorded, and held to the policy before it leaves. SIGTERM drains it.

    The endpoints stand in a file of their own (setting proxy.upstreams); docs/PROXY.md says what to write there, and
    what a service sets as its base URL.

    \b
    Examples:
      audit-ledger proxy --tenant acme --upstreams upstreams.toml
      audit-ledger proxy --config proxy.toml --listen 127.0.0.1:7450
      audit-ledger proxy --config proxy.toml --check
    """
    given = {f"proxy.{name}": _text(value) for name, value in flags.items() if value is not None}
    if config is not None:
        settings = load_proxy(config, environment=os.environ, flags=given)
    else:
        settings = completed(open_home(home).config(flags=given))
    if is_check:
        _explain(settings, as_json)
        return

    def on_ready(listening: Listening) -> None:
        click.echo(f"{READY}{listening.address}, metrics on {listening.metrics}")

    async def serve(stop: asyncio.Event) -> None:
        await run_proxy(settings, stop, on_ready)

    run_service(serve)


def _text(value: Any) -> str:
    return str(value.absolute()) if isinstance(value, Path) else str(value)


def _explain(settings: ProxyConfig, as_json: bool) -> None:
    """What a proxy with these settings does with each class of data for each upstream."""
    check(settings)
    upstreams = read_upstreams(settings.upstreams)
    with open(settings.capture_policy, "rb") as opened:
        decider = Decider(parse_policy(opened.read(FILE_BYTES_MAX + 1), settings.capture_policy))
    scheme = "https" if settings.tls_certificate else "http"
    rows = [
        {
            "upstream": upstream.name,
            "base URL": f"{scheme}://{settings.listen}/{upstream.name}",
            "goes to": upstream.base,
            "vendor": upstream.vendor,
            "tenant": tenant,
            **{each: _would(decider, tenant, upstream, each) for each in (UNCLASSIFIED, *CLASSES)},
        }
        for upstream in upstreams.values()
        for tenant in settings.all_tenants
    ]
    if as_json:
        chosen = {each.name: _shown(getattr(settings, each.name)) for each in fields(settings)}
        print_json({"policy": decider.policy.identity, "settings": chosen, "decisions": rows})
        return
    click.echo(f"policy {decider.policy.identity}; when the ledger is away: {settings.on_ledger_down}")
    print_table(list(rows[0]), [list(row.values()) for row in rows])


def _would(decider: Decider, tenant: str, upstream: Upstream, data_class: str) -> str:
    ruling = decider.policy.decide(tenant, "request", data_class)
    if not ruling.allows(upstream.vendor):
        return "refuse"
    looked = decider.needs_look(Question(tenant, upstream.vendor, data_class, b""))
    return f"{ruling.in_flight}, looked into" if looked and ruling.in_flight == "allow" else ruling.in_flight


def _shown(value: Any) -> Any:
    return str(value) if isinstance(value, Path) else value
