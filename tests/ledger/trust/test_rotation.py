"""Rotation of signing keys: who signs when, who is believed when, and what a crash leaves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ledger.errors import IntegrityError, Misconfigured, Unavailable
from ledger.home import Home, OpenKeys, gateway_key_name, ledger_key_name
from ledger.keys.pkcs11 import make_signing_key
from ledger.keys.signing import Role
from ledger.tlog.note import NoteSigner
from ledger.trust import TrustedKeys
from ledger.trust.current_signer import CurrentSigner
from ledger.trust.reader import trust_reader
from ledger.trust.rotation import SigningRotation, rotate_signing_key
from tests.ledger.keys.softhsm import need_softhsm
from tests.ledger.keys.test_rotation import kill_rotation

NAME = "audit.test"
DAY_S = 86_400
ROLES: list[tuple[Role, str]] = [("ledger", ledger_key_name(NAME)), ("gateway", gateway_key_name(NAME, "gw-1"))]


class Stage:
    """An open home, and rotations in it."""

    def __init__(self, home: Home, role: Role, name: str) -> None:
        self.home, self.role, self.name = home, role, name
        self.config = home.config(environment={})
        self.keys: OpenKeys = home.keys(self.config)
        self.signer = CurrentSigner(self.keys.store, role, name, trust_reader(self.config.ledger.trust))
        self.made = next(each.created_at for each in self.keys.store.signing_keys() if each.role == role)

    def trust(self) -> TrustedKeys:
        return TrustedKeys.load(self.config.ledger.trust)

    def rotate(self, at: datetime, **options: object) -> SigningRotation:
        given = {"starts_in_s": 0, "overlap_s": DAY_S, "clock": lambda: at, **options}
        return rotate_signing_key(self.home, self.config, self.keys, self.role, self.name, **given)  # type: ignore[arg-type]

    def signs(self, at: datetime) -> bytes:
        """The public key that signs what states this time, after asking what a verifier asks."""
        signer: NoteSigner = self.signer(round(at.timestamp() * 1_000_000))
        self.trust().key(self.role, signer.verifier_key.key_id, at)
        assert signer.verifier_key.verify(b"message", signer.signature(b"message"))
        return signer.public_key

    def generations(self) -> list[bytes]:
        return [each.public_key for each in self.keys.store.signing_keys() if each.role == self.role]


@pytest.fixture(params=ROLES, ids=["ledger", "gateway"])
def stage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stage]:
    """A new home, and each of its two signing keys in turn."""
    made = Stage(Home.create(tmp_path / "home", name=NAME), *request.param)
    yield made
    made.keys.close()


def later(stage: Stage, **time: float) -> datetime:
    return stage.made + timedelta(**time)


def test_the_new_key_signs_from_its_start_and_the_old_one_before(stage: Stage) -> None:
    """A signer made before the rotation goes over to the new key at its start, to the microsecond."""
    (old,) = stage.generations()
    assert stage.signs(later(stage, hours=1)) == old
    done = stage.rotate(later(stage, hours=2), starts_in_s=3_600)
    assert (done.generation, done.start) == (2, later(stage, hours=3))
    assert done.public_key == stage.generations()[1]
    assert stage.signs(later(stage, hours=3, microseconds=-1)) == old
    assert stage.signs(later(stage, hours=3)) == done.public_key
    assert stage.signs(later(stage, days=300)) == done.public_key


def test_a_retired_key_is_refused_past_its_end(stage: Stage) -> None:
    """What states a time in the old key's range verifies for ever; what states its end or later is refused."""
    old = stage.signer(round(later(stage, hours=1).timestamp() * 1e6)).verifier_key.key_id
    done = stage.rotate(later(stage, hours=2), overlap_s=600)
    end = later(stage, hours=2, seconds=600)
    assert done.end == end
    for at in (stage.made, later(stage, hours=2), end - timedelta(microseconds=1)):
        assert stage.trust().key(stage.role, old, at).key_id == old
    for at in (end, later(stage, days=1)):
        with pytest.raises(IntegrityError, match="but it is good from"):
            stage.trust().key(stage.role, old, at)


def test_a_key_before_its_start_is_refused(stage: Stage) -> None:
    """A signature under the new key that states a time before its start is refused."""
    stage.rotate(later(stage, hours=2), starts_in_s=60)
    signer = stage.signer(round(later(stage, hours=3).timestamp() * 1e6))
    with pytest.raises(IntegrityError, match="but it is good from"):
        stage.trust().key(stage.role, signer.verifier_key.key_id, later(stage, hours=2))


def test_without_overlap_one_key_ends_where_the_next_begins(stage: Stage) -> None:
    """A rotation without overlap leaves no instant without a key and none with two."""
    (old,) = stage.generations()
    done = stage.rotate(later(stage, hours=2), overlap_s=0)
    [ended] = [key for key in stage.trust().keys if key.public_key == old]
    assert ended.not_after == done.start
    assert stage.signs(done.start - timedelta(microseconds=1)) == old
    assert stage.signs(done.start) == done.public_key


@pytest.mark.parametrize("step", ["made", "told"])
def test_a_rotation_goes_on_after_a_crash(stage: Stage, step: str) -> None:
    """After a crash at any step the old key signs on, or the new one that verifiers know; no third key is made."""

    class Crash(Exception):
        pass

    def crash(at: str) -> None:
        if at == step:
            raise Crash

    (old,) = stage.generations()
    with pytest.raises(Crash):
        stage.rotate(later(stage, hours=2), on_step=crash)
    assert stage.signs(later(stage, hours=3)) == (old if step == "made" else stage.generations()[1])
    if step == "made":
        done = stage.rotate(later(stage, hours=4))
        assert (done.is_resumed, done.generation, len(stage.generations())) == (True, 2, 2)
    assert stage.signs(later(stage, hours=5)) == stage.generations()[1]
    assert [key.not_after is None for key in stage.trust().for_role(stage.role)] == [False, True]


@pytest.mark.parametrize("last", [0, 1])
def test_a_killed_rotation_goes_on(tmp_path: Path, last: int) -> None:
    """A rotation killed by SIGKILL after a step leaves a ledger that signs; no step is done twice."""
    home = Home.create(tmp_path / "home", name=NAME)
    kill_rotation("signing", home.path, last)
    stage = Stage(home, *ROLES[0])
    now = datetime.now(UTC)
    first, second = stage.generations()
    assert stage.signs(now) == (first, second)[last]
    done = stage.rotate(now)
    assert (done.is_resumed, done.generation) == ((True, 2), (False, 3))[last]
    assert stage.signs(now + timedelta(seconds=1)) == done.public_key
    stage.keys.close()


def test_a_new_trust_file_in_between_does_not_hide_an_interruption(stage: Stage) -> None:
    """A tenant added between crash and resumption writes the trust file; the old key still gets its end."""

    def crash(at: str) -> None:
        raise RuntimeError(at)

    with pytest.raises(RuntimeError, match="made"):
        stage.rotate(later(stage, hours=2), on_step=crash)
    stage.home.write_trust(stage.config, stage.keys)
    assert stage.rotate(later(stage, hours=3)).is_resumed
    assert [key.not_after is None for key in stage.trust().for_role(stage.role)] == [False, True]


def test_ranges_survive_what_else_writes_the_trust_file(stage: Stage) -> None:
    """Adding a gateway or a tenant keeps every range."""
    stage.rotate(later(stage, hours=2))
    before = stage.trust().keys
    stage.keys.tenants.add("acme", 1)
    stage.home.add_gateway(stage.config, stage.keys, "gw-2")
    assert set(before) < set(stage.trust().keys)


def test_a_key_to_come_is_not_followed(stage: Stage) -> None:
    """A second rotation waits until the first one's key has begun."""
    stage.rotate(later(stage, hours=2), starts_in_s=3_600)
    with pytest.raises(Misconfigured, match="once it has begun"):
        stage.rotate(later(stage, hours=2, minutes=1))
    assert stage.rotate(later(stage, hours=4)).generation == 3


def test_a_later_rotation_ends_every_earlier_key(stage: Stage) -> None:
    """No key outlasts the end that a later rotation gives the one after it."""
    stage.rotate(later(stage, hours=2), overlap_s=30 * DAY_S)
    done = stage.rotate(later(stage, hours=3), overlap_s=0)
    assert [key.not_after for key in stage.trust().for_role(stage.role)] == [done.end, done.end, None]


def test_the_secret_of_an_ended_key_is_destroyed(stage: Stage) -> None:
    """A day after a key's end the next rotation destroys its secret; its public half goes on verifying."""
    first = stage.rotate(later(stage, hours=2), overlap_s=600)
    assert stage.rotate(later(stage, hours=3), overlap_s=600).destroyed == ()
    last = stage.rotate(later(stage, days=3))
    assert last.destroyed == (1, 2)
    left = [each.is_destroyed for each in stage.keys.store.signing_keys() if each.role == stage.role]
    assert left == [True, True, False, False]
    with pytest.raises(IntegrityError, match="its secret is gone"):
        stage.keys.store.signing_key(stage.role, stage.name, first.generation)
    assert len(stage.trust().for_role(stage.role)) == len(stage.generations())


def test_a_key_that_no_verifier_knows_does_not_sign(stage: Stage) -> None:
    """Without any trusted key the signer refuses: what it signed nobody would believe."""
    ended = tuple(replace(key, not_after=later(stage, hours=1)) for key in stage.trust().keys)
    replace(stage.trust(), keys=ended).save(stage.config.ledger.trust)
    with pytest.raises(IntegrityError, match="keys list"):
        stage.signs(later(stage, hours=2))


def test_a_key_moves_into_a_token_and_back(stage: Stage) -> None:
    """A rotation leads to a key in a PKCS#11 token and from there to one in the key store; each signs in its time."""
    uri = need_softhsm().uri(f"s-{stage.role}-{datetime.now(UTC).timestamp()}")
    made = make_signing_key(uri)
    (old,) = stage.generations()
    done = stage.rotate(later(stage, hours=2), token_uri=uri)
    assert done.public_key == made.public_key
    assert stage.signs(later(stage, hours=1)) == old
    assert stage.signs(later(stage, hours=3)) == made.public_key
    with pytest.raises(Misconfigured, match="a key never comes back"):
        stage.rotate(later(stage, hours=4), token_uri=uri)
    back = stage.rotate(later(stage, hours=5))
    assert stage.signs(later(stage, hours=6)) == back.public_key


def test_a_key_that_is_not_there_is_named(stage: Stage) -> None:
    """A gateway that has no key can't have it rotated."""
    stage.name = gateway_key_name(NAME, "nobody")
    with pytest.raises(Misconfigured, match="has none"):
        stage.rotate(later(stage, hours=1))


def test_a_key_lost_with_a_restore_goes_on_verifying(stage: Stage) -> None:
    """A key store from before a rotation lacks a key: its public half stays trusted, a new rotation ends it."""
    lost = stage.rotate(later(stage, hours=2), overlap_s=600)
    with stage.keys.database.write() as rows:
        rows.execute("DELETE FROM signing_keys WHERE role = ? AND generation = 2", (stage.role,))
    stage.home.write_trust(stage.config, stage.keys)
    with pytest.raises(IntegrityError, match="holds none"):
        stage.signs(later(stage, hours=3))
    done = stage.rotate(later(stage, hours=4), overlap_s=0)
    assert done.public_key != lost.public_key
    assert stage.signs(later(stage, hours=5)) == done.public_key
    [kept] = [key for key in stage.trust().keys if key.public_key == lost.public_key]
    assert (kept.not_before, kept.not_after) == (lost.start, done.end)


def test_a_trust_file_that_goes_away_stops_signing_for_a_while(stage: Stage) -> None:
    """Without its trust file a running signer is `Unavailable`, and signs again once the file is back."""
    stage.signs(later(stage, hours=1))
    file = stage.config.ledger.trust
    file.rename(file.with_name("elsewhere.json"))
    with pytest.raises(Unavailable, match="nothing is signed"):
        stage.signer(round(later(stage, hours=1).timestamp() * 1e6))
    file.with_name("elsewhere.json").rename(file)
    stage.signs(later(stage, hours=1))
