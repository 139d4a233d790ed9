"""Who asks, for whom, in which story: from tokens, certificates, fields and the request itself."""

from __future__ import annotations

import asyncio
import json
import ssl
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ledger.errors import Misconfigured
from ledger.record.translate import translate
from ledger.v1 import event_pb2 as pb
from tests.certificates import TokenKey, key_set, make, self_signed, server, service
from tests.ledger.client.gateway import ScriptedGateway, wait_until
from tests.ledger.identity.test_authority import change
from tests.ledger.proxy.running import Running, proxied
from tests.vendors.serving import Loopback

ROLES = """
format = 1
version = "1"
[issuers.company]
issuer = "https://login.example.org"
audience = "audit-ledger"
keys = "jwks.json"
algorithms = ["ES256"]
[[grants]]
role = "producer"
certificate = "uri:spiffe://example.org/support"
tenants = ["acme"]
kinds = ["request", "tool_call"]
[[grants]]
role = "producer"
issuer = "company"
subject = "billing"
tenants = ["acme", "beta"]
kinds = ["request", "tool_call"]
[[grants]]
role = "producer"
issuer = "company"
subject = "changes"
tenants = ["acme"]
kinds = ["change"]
"""
KEY = TokenKey.new("k1")
BODY = {"model": "gpt-4o", "user": "from the call", "messages": [{"role": "user", "content": "hi"}]}


@contextmanager
def knowing(gateway: ScriptedGateway, vendor: Loopback, folder: Path, **more: Any) -> Iterator[Running]:
    """A proxy with a roles file."""
    (folder / "roles.toml").write_text(ROLES)
    (folder / "jwks.json").write_bytes(key_set(KEY))
    with proxied(gateway, vendor.url, folder, roles=str(folder / "roles.toml"), **more) as proxy:
        yield proxy


def ask(proxy: Running, context: ssl.SSLContext | None = None, **fields: str) -> tuple[int, dict[str, Any], str]:
    """Status, body and event id of one question."""
    request = urllib.request.Request(f"{proxy.url}/openai/v1/chat/completions", json.dumps(BODY).encode())
    request.add_header("Content-Type", "application/json")
    for name, value in fields.items():
        request.add_header(name.replace("_", "-"), value)
    try:
        with urllib.request.urlopen(request, timeout=15, context=context) as answer:
            return answer.status, json.loads(answer.read()), answer.headers["x-ledger-event"]
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read()), error.headers.get("x-ledger-event", "")


def test_everything_that_fields_say_is_recorded(proxy: Running) -> None:
    """Person, subjects, service, agent, story, prompts, class, system and trace stand in the event, as claims."""
    _, _, event_id = ask(
        proxy,
        x_ledger_user="mia",
        x_ledger_subjects="tom, eva",
        x_ledger_service="support-bot",
        x_ledger_agent="helper@2.1",
        x_ledger_session="s-1",
        x_ledger_correlation="c-1",
        x_ledger_parent="01990c6e-5a3c-7d60-8a43-6f1b2c3d4e5f",
        x_ledger_prompt=f"greeting@7;sha256={'ab' * 32};role=system, closing",
        x_ledger_class="confidential",
        x_ledger_system="support",
        x_ledger_use_case="orders",
        x_ledger_purpose="customer support",
        traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    )
    event = proxy.event_of(event_id)
    assert [each.identifier for each in event.subjects] == ["tom", "eva"]
    actor, story = event.actor, event.story
    assert (actor.user.identifier, actor.service, actor.agent, actor.agent_version) == (
        "mia",
        "support-bot",
        "helper",
        "2.1",
    )
    assert (story.session_id, story.correlation_id) == ("s-1", "c-1")
    assert story.parent_event_id.hex() == "01990c6e5a3c7d608a436f1b2c3d4e5f"
    assert (story.trace_id.hex(), story.span_id.hex()) == ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331")
    first, second = event.request.prompts
    assert (first.prompt_id, first.revision, first.role, first.template_sha256.hex()) == (
        "greeting",
        "7",
        "system",
        "ab" * 32,
    )
    assert (second.prompt_id, second.revision) == ("closing", "")
    assert event.classification == pb.CLASSIFICATION_CONFIDENTIAL
    assert (event.purpose.ai_system_id, event.purpose.use_case_id, event.purpose.purpose) == (
        "support",
        "orders",
        "customer support",
    )
    assert translate(event).kind == "request"


def test_the_call_itself_is_the_last_to_be_believed(proxy: Running) -> None:
    """Without a field the person is whom the request's own parameter names, and the event says that."""
    _, _, event_id = ask(proxy, traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
    event = proxy.event_of(event_id)
    assert (event.actor.user.identifier, event.actor.identity_attribute) == ("from the call", "user")
    assert event.actor.identity_source == pb.IDENTITY_SOURCE_CLAIMED
    assert event.story.correlation_id == "0af7651916cd43dd8448eb211c80319c"
    assert list(event.derived_fields) == ["story.correlation_id"]


def test_a_token_goes_before_a_claim(gateway: ScriptedGateway, vendor: Loopback, tmp_path: Path) -> None:
    """A person's token that holds makes her identity verified, whatever fields claim; tokens go no further."""
    with knowing(gateway, vendor, tmp_path) as proxy:
        token = KEY.token("mia@example.org")
        status, _, event_id = ask(proxy, x_ledger_user="eva", x_ledger_user_token=token)
        event = proxy.event_of(event_id)
        assert status == 200
        assert event.actor.user.identifier == "mia@example.org"
        assert event.actor.identity_source == pb.IDENTITY_SOURCE_VERIFIED
        assert not event.actor.identity_attribute
        assert token not in str(vendor.seen)
        assert token.encode() not in event.SerializeToString()


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({}, 401),
        ({"x_ledger_token": "no token"}, 401),
        ({"x_ledger_token": TokenKey.new("k1").token("billing")}, 401),
        ({"x_ledger_token": KEY.token("nobody")}, 403),
        ({"x_ledger_token": KEY.token("changes")}, 403),
        ({"x_ledger_token": KEY.token("billing")}, 200),
        ({"x_ledger_token": KEY.token("billing"), "x_ledger_tenant": "beta"}, 200),
        ({"x_ledger_token": KEY.token("billing"), "x_ledger_tenant": "gamma"}, 403),
        ({"x_ledger_token": KEY.token("billing"), "x_ledger_user_token": "no token"}, 401),
    ],
)
def test_known_callers_only(
    fields: dict[str, str], status: int, gateway: ScriptedGateway, vendor: Loopback, tmp_path: Path
) -> None:
    """With `callers = "known"` a call needs a token whose role may publish requests for its tenant, or stays."""
    with knowing(gateway, vendor, tmp_path, callers="known", tenants="beta") as proxy:
        found, _, event_id = ask(proxy, **fields)
        assert found == status
        assert len(vendor.seen) == (status == 200)
        if status == 200:
            event = proxy.event_of(event_id)
            assert event.actor.service == "company:billing"
            assert gateway.tenants[-1] == fields.get("x_ledger_tenant", "acme")


def test_callers_by_certificate(gateway: ScriptedGateway, vendor: Loopback, tmp_path: Path) -> None:
    """Over TLS with a client CA: a caller with a certificate is its service; one without gets no connection."""
    ca = make("ca", ca=True)
    certificate, key = server(ca).write(tmp_path, "server")
    ca.write(tmp_path, "ca")
    mine, mine_key = service("spiffe://example.org/support", ca).write(tmp_path, "mine")
    files = {"tls_certificate": str(certificate), "tls_key": str(key), "tls_client_ca": str(tmp_path / "ca.pem")}
    with knowing(gateway, vendor, tmp_path, callers="known", **files) as proxy:
        context = ssl.create_default_context(cafile=str(tmp_path / "ca.pem"))
        with pytest.raises((urllib.error.URLError, ConnectionError)):
            ask(proxy, context)
        context.load_cert_chain(mine, mine_key)
        status, _, event_id = ask(proxy, context)
        assert status == 200
        assert proxy.event_of(event_id).actor.service == "uri:spiffe://example.org/support"


def test_a_rotated_certificate_needs_no_restart(gateway: ScriptedGateway, vendor: Loopback, tmp_path: Path) -> None:
    """The next connection gets the certificate that is in the files now, but no half of a pair."""
    authorities = [make(name, ca=True) for name in ("old", "new")]
    trusting = [ssl.create_default_context(cadata=each.pem.decode()) for each in authorities]
    old, new = (server(each) for each in authorities)
    certificate, key = old.write(tmp_path, "server")
    with proxied(gateway, vendor.url, tmp_path, tls_certificate=str(certificate), tls_key=str(key)) as proxy:
        assert ask(proxy, trusting[0])[0] == 200
        change(certificate, new.pem)
        assert ask(proxy, trusting[0])[0] == 200
        change(key, new.key_pem)
        assert ask(proxy, trusting[1])[0] == 200
        with pytest.raises(urllib.error.URLError):
            ask(proxy, trusting[0])


def test_credentials_are_told_apart_and_never_kept(gateway: ScriptedGateway, vendor: Loopback, tmp_path: Path) -> None:
    """With a secret each vendor's key has a hashed id of its own, however it is sent; without one, none has."""
    (tmp_path / "secret").write_bytes(bytes(range(32)))
    with proxied(gateway, vendor.url, tmp_path, secret=str(tmp_path / "secret")) as proxy:
        ids = []
        for fields in ({"Authorization": "Bearer one"}, {"api_key": "one"}, {"Authorization": "Bearer two"}, {}):
            _, _, event_id = ask(proxy, **fields)
            event = proxy.event_of(event_id)
            ids.append(event.actor.credential_id)
            assert b"Bearer" not in event.SerializeToString()
    assert ids[0] == ids[1] != ids[2]
    assert ids[0].startswith("key-")
    assert ids[3] == ""
    other = tmp_path / "other"
    other.mkdir()
    with proxied(gateway, vendor.url, other) as proxy:
        _, _, event_id = ask(proxy, Authorization="Bearer one")
        assert proxy.event_of(event_id).actor.credential_id == ""


def test_what_can_not_stand_in_clear_costs_no_event(proxy: Running) -> None:
    """A session named after its user is kept as a keyed hash, always the same; an address as a service is left out."""
    found = []
    for _ in range(2):
        _, _, event_id = ask(
            proxy, x_ledger_user="mia_li_3668", x_ledger_session="chat-mia_li_3668", x_ledger_service="a@b.example.org"
        )
        event = proxy.event_of(event_id)
        assert translate(event).kind == "request"
        assert "story.session_id" in event.derived_fields
        assert "mia_li" not in event.story.session_id
        assert event.actor.service == ""
        found.append(event.story.session_id)
    assert found[0] == found[1]
    assert found[0].startswith("hashed-")
    wait_until(lambda: proxy.metric("recorder_fields_mended") == 4)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"callers": "known"}, "proxy.callers"),
        ({"tenant": ""}, "proxy.tenant"),
        ({"to": ""}, "proxy.to"),
        ({"capture_policy": ""}, "proxy.capture_policy"),
        ({"secret": __file__ + ".none"}, "proxy.secret"),
        ({"listen": "0.0.0.0:0"}, "proxy.listen"),
        ({"tls_certificate": "x.pem"}, "proxy.tls_certificate"),
        ({"to": "gateway.example.org:7443", "ca": "/none.pem"}, "/none.pem"),
        ({"tenant": "No Tenant"}, "tenant"),
    ],
)
def test_settings_that_can_not_work_refuse_to_start(
    settings: dict[str, str], message: str, gateway: ScriptedGateway, vendor: Loopback, tmp_path: Path
) -> None:
    """What is missing or contradicts itself is named, and nothing listens."""
    with pytest.raises(Misconfigured, match=message), proxied(gateway, vendor.url, tmp_path, **settings):
        pytest.fail("it started")


def test_an_upstreams_certificate_is_always_checked(gateway: ScriptedGateway, tmp_path: Path) -> None:
    """An upstream with a certificate that nobody vouches for gets nothing; the caller a 502, the record a failure."""
    certificate, key = self_signed().write(tmp_path, "upstream")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    seen: list[bytes] = []
    ports: list[int] = []
    started, ended = threading.Event(), threading.Event()

    async def serve() -> None:
        async def connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            seen.append(await reader.read(100))
            writer.close()

        listening = await asyncio.start_server(connection, "127.0.0.1", 0, ssl=context)
        ports.append(listening.sockets[0].getsockname()[1])
        started.set()
        await asyncio.to_thread(ended.wait)
        listening.close()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    assert started.wait(10)
    try:
        with proxied(gateway, f"https://127.0.0.1:{ports[0]}", tmp_path) as proxy:
            status, body, event_id = ask(proxy)
            assert (status, body["error"]["code"]) == (502, "audit_ledger_upstream_tls")
            assert proxy.operation_of(event_id, 2)[-1].request.error_class == "upstream_tls"
    finally:
        ended.set()
        thread.join(10)
    assert seen == []
