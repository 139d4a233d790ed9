"""The command `disclose`: one content for an outsider."""

from __future__ import annotations

import os
from pathlib import Path
from uuid import UUID

import click

from ledger.cli.options import OUTPUT_FILE, open_home
from ledger.cli.output import print_json
from ledger.disclosure import make_disclosure
from ledger.errors import IntegrityError
from ledger.record.content import OpenedContent
from ledger.tlog.checkpoint import open_checkpoint
from ledger.tlog.note import NoteError, VerifierKey
from ledger.tlog.proof_bundle import parse_tlog_proof
from ledger.trust import TrustedKeys
from query.cli.answering import Asked, answer, question_options
from query.cli.evidence import index_option, tell_of_others

FILE_MODE = 0o600


@click.command(short_help="Disclose one content to an outsider, with its proof.")
@click.argument("event_id", type=click.UUID)
@click.argument("slot")
@question_options
@index_option
@click.option("-o", "--output", type=OUTPUT_FILE, required=True, help="The file to write.")
def disclose(asked: Asked, as_json: bool, event_id: UUID, slot: str, index: int | None, output: Path) -> None:
    """Write the content in SLOT (such as intent or output; reconstruct names them) of an event to a file that proves
    itself: payload, salt, content in clear, inclusion proof and signed checkpoint. It gives away nothing else.

    Whoever gets it checks it with audit-ledger check-disclosure and the log's verifier key (tenant show).

    \b
    Examples:
      audit-ledger disclose 01981b2e-7c1f-7d40-9c62-5a8f3e0b7a11 output --tenant acme --case C-7 -o disclosure.json
    """
    identity = event_id.bytes
    found = answer(asked, lambda queries, reader: queries.disclosable(asked.tenant, identity, slot, reader, index))
    tell_of_others(found.proven.index, found.proven.also_at)
    proof = parse_tlog_proof(found.proven.proof)
    trust = TrustedKeys.load(open_home(asked.home).config().ledger.trust)
    key = _signing_key(trust, found.proven.log.origin, proof.checkpoint)
    data = make_disclosure(found.proven.payload, slot, OpenedContent(found.plaintext, found.salt), proof, key)
    # In clear from here on: for nobody else on this machine.
    handle = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, FILE_MODE)
    with open(handle, "wb") as stream:
        stream.write(data)
    if as_json:
        print_json({"file": str(output), "bytes": len(data), "verifier_key": str(key)})
        return
    click.echo(f"written to {output}, {len(data):,} bytes")
    click.echo(f"check it with: audit-ledger check-disclosure {output.name} --key {key}")


def _signing_key(trust: TrustedKeys, origin: str, note: str) -> VerifierKey:
    """The ledger's key that signed a checkpoint."""
    for trusted in trust.for_role("ledger"):
        key = VerifierKey(origin, trusted.public_key)
        try:
            open_checkpoint(note, key)
        except NoteError:
            continue
        return key
    raise IntegrityError(f"checkpoint of {origin}: none of the ledger's keys signed it")
