"""The command `change`: change capture for CI, from the Git repository in which prompts and model pins live."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import click

from ledger.changes.events import change_event
from ledger.changes.evidence import Evidence
from ledger.changes.gate import Failure, Outcome, judge, nothing_held, stray_reports
from ledger.changes.gathering import look_at, rolled_back
from ledger.changes.git import Repository
from ledger.changes.reviews import Claim
from ledger.cli.changing_options import Looked, Subject, looked_at, subject_options
from ledger.cli.changing_output import artifact_json, gate_json, print_artifacts, print_gate
from ledger.cli.changing_publishing import Publishing, publish_changes, publishing_options
from ledger.cli.options import EXIT_FINDING, json_option
from ledger.cli.output import print_json
from ledger.errors import Rejected


@click.group(short_help="Record changes of prompts and models out of Git; the gate before a deployment.")
def change() -> None:
    """Record changes of prompts, models and policies out of the Git repository they live in, and hold a deployment to
    its evidence.

    Which files are artifacts is said in the repository's audit-ledger.toml; docs/CHANGES.md explains it. Everything is
    read from a commit; nothing in the repository is run.

    \b
    Exit codes: 0 fine; 1 the gate failed, or the gateway rejected something; 2 wrong usage, a file that is wrong, or
    history that this clone lacks; 3 the gateway is unavailable.
    """


@change.command()
@subject_options
@json_option
def check(subject: Subject, as_json: bool) -> None:
    """Show the artifacts of a commit: kind, id, revision and SHA-256, as requests and reports must name them.

    Exit code 1 when a model's name fixes no version.

    \b
    Examples:
      audit-ledger change check
      audit-ledger change check --commit v1.4 --json
    """
    with Repository(subject.folder) as repository:
        commission = look_at(repository, subject.asked, Evidence())
    floating = [each for each in commission.artifacts.values() if each.pin and each.pin.verdict == "floating"]
    if as_json:
        told = [artifact_json(each) for each in commission.artifacts.values()]
        print_json({"commit": commission.commit, "declaration": commission.declaration.path or None, "artifacts": told})
    else:
        print_artifacts(commission)
    for each in floating:
        click.echo(f"{each.place.path}: {each.id}: {each.pin.reason if each.pin else ''}", err=True)
    if floating:
        raise click.exceptions.Exit(EXIT_FINDING)


@change.command()
@subject_options
@json_option
def gate(subject: Subject, as_json: bool) -> None:
    """Say whether a commit's artifacts may be deployed, and exactly why not.

    Each that is looked at needs enough verified reviews by others than its authors, and, where its kind is evaluated,
    reports on exactly it that meet their thresholds. Exit code 1 when one fails.

    \b
    Examples:
      audit-ledger change gate --base main --report eval.json --github-pull pull.json --github-reviews reviews.json
      audit-ledger change gate --artifact prompt:support --report junit.xml --allowed-signers main:allowed_signers
    """
    with looked_at(subject) as looked:
        outcomes, stray = _judged(looked)
    if as_json:
        print_json(gate_json(looked.commission, outcomes, stray))
    else:
        print_gate(outcomes, stray)
    if stray or not all(each.passed for each in outcomes):
        raise click.exceptions.Exit(EXIT_FINDING)


@change.command()
@subject_options
@publishing_options
def propose(subject: Subject, publishing: Publishing) -> None:
    """Publish that revisions are proposed: each with its author, its text and what was there before.

    \b
    Example:
      audit-ledger change propose --base origin/main --ticket SUP-342 --to audit.example.org:7443 --ca system
    """
    with looked_at(subject) as looked:
        outcomes, _ = _judged(looked)
        _hold_to_pins(outcomes)
        events = [
            change_event(publishing.occasion(looked), "propose", each)
            for each in outcomes
            if each.candidate.artifact is not None
        ]
        publish_changes(events, publishing)


@change.command()
@subject_options
@publishing_options
def review(subject: Subject, publishing: Publishing) -> None:
    """Publish the reviews, one event each: those that count as verified, trailers as asserted.

    Reviews that ask for changes, are stale or were dismissed are not published: a Change has no place for a refusal.

    \b
    Example:
      audit-ledger change review --github-pull pull.json --github-reviews reviews.json --to 127.0.0.1:7443
    """
    with looked_at(subject) as looked:
        outcomes, _ = _judged(looked)
        events = [
            change_event(publishing.occasion(looked), "review", each, [claim])
            for each in outcomes
            if each.candidate.artifact is not None
            for claim in _published_reviews(each)
        ]
        publish_changes(events, publishing)


@change.command()
@subject_options
@publishing_options
def approve(subject: Subject, publishing: Publishing) -> None:
    """Publish that revisions are approved, on which reviews and evaluations. The gate must pass; else exit code 1.

    \b
    Example:
      audit-ledger change approve --report eval.json --github-pull pull.json --github-reviews reviews.json
    """
    with looked_at(subject) as looked:
        outcomes = _passed(looked, publishing)
        events = [
            change_event(publishing.occasion(looked), "approve", each, each.reviewed.counted)
            for each in outcomes
            if each.candidate.artifact is not None
        ]
        publish_changes(events, publishing)


@change.command()
@subject_options
@click.option(
    "--despite-gate", metavar="WHY", help="Record it although the gate fails, with this reason and the gate's."
)
@publishing_options
def deploy(subject: Subject, despite_gate: str | None, publishing: Publishing) -> None:
    """Publish that revisions are deployed, and that what is gone since the base is retired. The gate must pass.

    A second deployment of the same revision, after it was rolled back, needs --again.

    \b
    Example:
      audit-ledger change deploy --base v1.3 --report eval.json --github-pull pull.json --github-reviews reviews.json
    """
    with looked_at(subject) as looked:
        told: dict[str, Any] = {}
        if despite_gate:
            outcomes, stray = _judged(looked)
            publishing = replace(publishing, reason=despite_gate)
            failures = [each for outcome in outcomes for each in outcome.failures] + stray
            told = {"despite_gate": [f"{each.code}: {each.detail}" for each in failures]}
        else:
            outcomes = _passed(looked, publishing)
        occasion = publishing.occasion(looked)
        events = [
            change_event(
                occasion,
                "deploy" if each.candidate.artifact is not None else "retire",
                each,
                each.reviewed.counted,
                told,
            )
            for each in outcomes
        ]
        publish_changes(events, publishing)


@change.command()
@subject_options
@click.option("--back-to", required=True, metavar="REV", help="The commit whose revision is in effect again.")
@click.option("--by", required=True, metavar="NAME", help="Who orders it.")
@publishing_options
def rollback(subject: Subject, back_to: str, by: str, publishing: Publishing) -> None:
    """Publish that an artifact is rolled back: from the commit's revision to the one that an earlier commit has.

    Whether that one had been approved, the ledger knows: reconstructions flag what never was. A model's name that fixes
    no version is refused.

    \b
    Example:
      audit-ledger change rollback --artifact prompt:support --back-to v1.3 --by lena.koch --ticket INC-2207
    """
    if not subject.asked.keys:
        raise click.UsageError("rollback: say which --artifact")
    with looked_at(subject) as looked:
        found = [rolled_back(looked.repository, looked.commission, each, back_to) for each in looked.candidates]
        rules = looked.commission.declaration.rules
        outcomes = [judge(each, (), rules) for each in found]
        _hold_to_pins(outcomes)
        told = {"rolled_back_at": looked.commission.commit}
        events = [change_event(publishing.occasion(looked, by), "roll_back", each, (), told) for each in outcomes]
        publish_changes(events, publishing)


@change.command()
@subject_options
@click.option("--by", metavar="NAME", help="Who orders it, where that is not the author of the commit that removes it.")
@publishing_options
def retire(subject: Subject, by: str | None, publishing: Publishing) -> None:
    """Publish that artifacts are retired: those that --artifact names, else those that are gone since --base.

    What is still there in the commit is retired by somebody's order: --by says whose.

    \b
    Example:
      audit-ledger change retire --base v1.3
    """
    with looked_at(subject, removed_only=True) as looked:
        rules = looked.commission.declaration.rules
        outcomes = [judge(each, (), rules) for each in looked.candidates]
        there = [each.key for each in looked.candidates if each.key in looked.commission.artifacts]
        if there and not by:
            raise click.UsageError(f"retire: {there[0]} is still there; say --by whom it is retired")
        events = [change_event(publishing.occasion(looked, by or ""), "retire", each) for each in outcomes]
        publish_changes(events, publishing)


def _judged(looked: Looked) -> tuple[list[Outcome], list[Failure]]:
    commission = looked.commission
    rules = commission.declaration.rules
    # Who loosens the declaration is held to what it said before.
    own = replace(rules, reviewers_min=max(rules.reviewers_min, commission.base_reviewers_min))
    reports = looked.evidence.reports
    outcomes = [judge(each, reports, own if each.is_declaration else rules) for each in looked.candidates]
    held = nothing_held((*commission.artifacts, *commission.base_artifacts), commission.own_key)
    return outcomes, [*held, *stray_reports(reports, commission.artifacts)]


def _passed(looked: Looked, publishing: Publishing) -> list[Outcome]:
    """The outcomes, where all passed; else what failed is shown, nothing is published, and the exit code is 1."""
    outcomes, stray = _judged(looked)
    if stray or not all(each.passed for each in outcomes):
        if publishing.as_json:
            print_json(gate_json(looked.commission, outcomes, stray))
        else:
            print_gate(outcomes, stray)
        click.echo("nothing was published", err=True)
        raise click.exceptions.Exit(EXIT_FINDING)
    return outcomes


def _hold_to_pins(outcomes: Sequence[Outcome]) -> None:
    for outcome in outcomes:
        for failure in outcome.failures:
            if failure.code == "floating_model":
                raise Rejected("", f"{failure.code}: {failure.detail}")


def _published_reviews(outcome: Outcome) -> list[Claim]:
    asserted = [each.claim for each in outcome.reviewed.refused if each.code == "review_asserted"]
    return [*outcome.reviewed.counted, *asserted]
