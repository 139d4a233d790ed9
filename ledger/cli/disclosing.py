"""The command `check-disclosure`: for an outsider, who has neither keys nor the ledger."""

from __future__ import annotations

from pathlib import Path

import click

from ledger.cli.options import OUTPUT_FILE, json_option
from ledger.cli.output import print_json, print_wrapped
from ledger.disclosure import DISCLOSURE_BYTES_MAX, check_disclosure
from ledger.disclosure_trust import check_trusted_disclosure
from ledger.tlog.note import VerifierKey
from ledger.trust import TrustedKeys


@click.command(name="check-disclosure", short_help="Check a disclosed content: needs no ledger and no secret.")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option(
    "--key", "keys", multiple=True, metavar="VKEY", help="Verifier key of the log that you have from elsewhere."
)
@click.option(
    "--trust",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="The ledger's trust.json that you have from elsewhere.",
)
@click.option("--unpinned", is_flag=True, help="Check against the key in FILE itself: says nothing of whose it is.")
@click.option("-o", "--output", type=OUTPUT_FILE, help="Write the content to this file.")
@json_option
def check(
    file: Path, keys: tuple[str, ...], trust: Path | None, unpinned: bool, output: Path | None, as_json: bool
) -> None:
    """Check FILE, which `audit-ledger disclose` wrote: that a log held this event and its gateway committed to this
    very content. Exit code 1 when it does not prove that.

    Say whom you trust: the log's verifier key (--key) or the ledger's trust file (--trust), from elsewhere than FILE.
    Whoever made FILE can have made its key, too: --unpinned proves only that FILE agrees with itself.

    \b
    Examples:
      audit-ledger check-disclosure disclosure.json --key "$VERIFIER_KEY"
      audit-ledger check-disclosure disclosure.json --key "$VERIFIER_KEY" -o content.txt
      audit-ledger check-disclosure disclosure.json --trust trust.json
    """
    _require_one(bool(keys), trust is not None, unpinned)
    with open(file, "rb") as stream:
        data = stream.read(DISCLOSURE_BYTES_MAX + 1)
    if trust is None:
        found = check_disclosure(data, [VerifierKey.parse(key) for key in keys])
    else:
        found = check_trusted_disclosure(data, TrustedKeys.load(trust))
    text = None
    if found.media_type.startswith("text/") or found.media_type == "application/json":
        text = found.plaintext.decode("utf-8", "replace")
    if output is not None:
        output.write_bytes(found.plaintext)
    if as_json:
        print_json(
            {
                "origin": found.origin,
                "index": found.index,
                "size": found.size,
                "root": found.root.hex(),
                "verifier_key": str(found.verifier_key),
                "pinned": found.pinned,
                "tenant": found.tenant,
                "event_id": found.event_id.hex(),
                "kind": found.kind,
                "received_at": found.received_at.isoformat(),
                "slot": found.slot,
                "state": found.state,
                "media_type": found.media_type,
                "original_size": found.original_size,
                "text": text,
                "plaintext_hex": None if text is not None else found.plaintext.hex(),
            }
        )
        return
    print_wrapped(found.statement())
    if output is not None:
        click.echo(f"written to {output}")
    elif text is not None and all(each.isprintable() or each in "\n\t" for each in text):
        click.echo(f"\n{text}")
    else:
        click.echo(f"{len(found.plaintext)} bytes of {found.media_type}; -o writes them to a file")


def _require_one(*given: bool) -> None:
    """A usage error unless exactly one says what the file is held against."""
    if sum(given) != 1:
        raise click.UsageError(
            "expected exactly one of --key VKEY, --trust FILE, --unpinned. A disclosure brings its own key: only a key "
            "that you have from elsewhere shows whose log it is. --unpinned checks without that"
        )
