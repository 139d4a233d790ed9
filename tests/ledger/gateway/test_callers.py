"""Events that only the ledger's own processes may write, and how those prove who they are."""

from __future__ import annotations

import grpc
import nacl.public
import pytest

from consumers import quarantine
from ledger.client.markers import closed_marker, loss_marker
from ledger.gateway import capturing
from ledger.gateway.reserved import OWN_RULES
from ledger.keys.process import AUTHORIZATION, SCHEME, ProcessKey
from ledger.v1 import event_pb2 as pb
from ledger.v1 import ingest_pb2
from tests.ledger.gateway.events import event_id, request
from tests.ledger.gateway.running import PUBLISH, TENANT, Running
from tests.ledger.gateway.test_publish import ACCEPTED, REJECTED, statuses

SPOOLED = "/ledger.v1.IngestService/PublishSpooled"


def event(**body: object) -> pb.Event:
    """An event with this body."""
    return pb.Event(event_id=event_id(), phase=pb.PHASE_SINGLE, **body)  # type: ignore[arg-type]


def access() -> pb.Event:
    """What a query service writes."""
    said = pb.Access(reader="auditor", query_kind=pb.QUERY_KIND_SQL, result=pb.ACCESS_RESULT_ANSWERED)
    said.query.text = "select 1"
    return event(access=said)


def finding(rule: str) -> pb.Event:
    """A finding of this rule."""
    return event(
        finding=pb.Finding(rule=rule, rule_version="1", severity=pb.SEVERITY_HIGH, status=pb.FINDING_STATUS_OPEN)
    )


def operation(action: pb.OperationAction, **fields: object) -> pb.Event:
    """Something done to the ledger."""
    return event(operation=pb.Operation(action=action, target="x", **fields))  # type: ignore[arg-type]


RESERVED = {
    "Access": ("access", access()),
    "Erasure": ("erasure", event(erasure=pb.Erasure(legal_ground="request", approvers=["dpo"]))),
    "LegalHold": ("legal_hold", event(legal_hold=pb.LegalHold(hold_id="h1", approvers=["counsel"]))),
    "Expiry": ("expiry", event(expiry=pb.Expiry(retention_class="standard", month="2026-01"))),
    "Operation events of ROTATION": ("operation.action", operation(pb.OPERATION_ACTION_ROTATION)),
    "Operation events of RESTORE": ("operation.action", operation(pb.OPERATION_ACTION_RESTORE, succeeded=True)),
    "Finding": ("finding.rule", finding("quarantine.uncovered")),
}


def credential_for(gateway: Running, frame: bytes) -> str:
    """What a process of the gateway's ledger presents with this request."""
    with gateway.home.keys(gateway.home.config(environment={})) as keys:
        return ProcessKey.of(keys.database, keys.master).credential(PUBLISH, frame)


def frame_of(*events: pb.Event, tenant: str = TENANT) -> bytes:
    """The bytes of a request."""
    return ingest_pb2.PublishRequest(tenant=tenant, events=events).SerializeToString()


@pytest.mark.parametrize("kind", RESERVED)
async def test_the_ledgers_own_events_are_refused_from_outside(gateway: Running, kind: str) -> None:
    """A producer's event of such a kind is refused with the kind in its reason; others of the call are taken."""
    field, reserved = RESERVED[kind]
    response = await gateway.publish(request(), reserved)
    assert statuses(response) == [ACCEPTED, REJECTED]
    result = response.results[1]
    assert result.field == field
    assert result.reason.startswith(kind)
    assert "only the ledger's own processes" in result.reason
    assert len(await gateway.stored()) == 1


async def test_the_ledgers_own_processes_may_write_them(gateway: Running) -> None:
    """Whoever proves that it holds the home's key store publishes them, and is recorded as the ledger."""
    events = [each for _, each in RESERVED.values()]
    frame = frame_of(*events)
    answer = await gateway.call(PUBLISH, frame, metadata=((AUTHORIZATION, credential_for(gateway, frame)),))
    assert statuses(ingest_pb2.PublishResponse.FromString(answer)) == [ACCEPTED] * len(events)
    recorded = {
        (each.payload["submitted_by"], each.payload["authentication_method"]) for each in await gateway.stored()
    }
    assert recorded == {("audit-ledger", "local")}


async def test_producers_keep_their_own_operations_and_findings(gateway: Running) -> None:
    """Close markers, declared losses, findings of other rules and Changes for everybody are taken from producers."""
    change = pb.Change(artifact_kind=pb.ARTIFACT_KIND_PROMPT, artifact_id="p", action=pb.CHANGE_ACTION_APPROVE)
    own = [closed_marker(), loss_marker(bytes(16), (1, 5), 5), finding("pii.in-name")]
    assert statuses(await gateway.publish(*own)) == [ACCEPTED] * 3
    assert statuses(await gateway.publish(event(change=change), tenant="_org")) == [ACCEPTED]
    assert {each.payload["submitted_by"] for each in await gateway.stored()} == {"local"}


@pytest.mark.parametrize("lie", ["proof of another request", "made up", "empty"])
async def test_a_proof_that_does_not_hold_ends_the_call(gateway: Running, lie: str) -> None:
    """A wrong credential is UNAUTHENTICATED, whatever the call holds, and nothing of it is taken."""
    frame = frame_of(request())
    if lie == "proof of another request":
        credential = credential_for(gateway, frame_of(request()))
    else:
        credential = f"{SCHEME} {'ab' * 32 if lie == 'made up' else ''}"
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await gateway.call(PUBLISH, frame, metadata=((AUTHORIZATION, credential),))
    assert caught.value.code() == grpc.StatusCode.UNAUTHENTICATED
    assert await gateway.stored() == []


async def test_a_credential_of_another_kind_proves_nothing(gateway: Running) -> None:
    """What this build does not know as a credential makes nobody the ledger."""
    metadata = ((AUTHORIZATION, "Bearer abc"),)
    answer = await gateway.call(PUBLISH, frame_of(access(), request()), metadata=metadata)
    assert statuses(ingest_pb2.PublishResponse.FromString(answer)) == [REJECTED, ACCEPTED]


async def test_nothing_of_the_ledgers_own_comes_out_of_a_spool(gateway: Running) -> None:
    """A producer cannot bring such an event in through a sealed frame either."""
    answer = await gateway.call("/ledger.v1.IngestService/GetSpoolKey", b"")
    key = ingest_pb2.GetSpoolKeyResponse.FromString(answer)
    box = nacl.public.SealedBox(nacl.public.PublicKey(key.public_key)).encrypt(frame_of(access()))
    spooled = ingest_pb2.PublishSpooledRequest(key_id=key.key_id, box=box).SerializeToString()
    response = ingest_pb2.PublishResponse.FromString(await gateway.call(SPOOLED, spooled))
    assert statuses(response) == [REJECTED]


def test_the_ledgers_own_rules_are_reserved() -> None:
    """The prefixes of rules that are refused from outside are those under which the ledger writes findings."""
    assert set(OWN_RULES) == {quarantine.RULE_PREFIX, capturing.RULE_PREFIX}
