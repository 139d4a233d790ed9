"""Runs benchmarks and prints their figures as a table; see the package's docstring."""

from __future__ import annotations

import argparse
import importlib
import platform
import sys
from pathlib import Path

from benchmarks.figures import Figure, machine

NAMES = ("sealing", "ingest", "otlp", "key_store", "query_latency", "redaction", "proxying")


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", help=f"which: {', '.join(NAMES)}; all where none is named")
    parser.add_argument("--smoke", action="store_true", help="small, to see that each still runs")
    parser.add_argument("--write", type=Path, help="write the table to this file as well")
    arguments = parser.parse_args()
    unknown = sorted(set(arguments.names) - set(NAMES))
    if unknown:
        parser.error(f"unknown benchmark {unknown[0]}; there are {', '.join(NAMES)}")
    lines = [
        "# Figures",
        "",
        f"{platform.machine()}, Python {platform.python_version()}, {machine()}. Durability as in production: SQLite "
        "`synchronous=FULL`, PostgreSQL with `fsync` and `synchronous_commit` on, Kafka `acks=all` and idempotent (one "
        "broker), sealed files fsynced. Ratios are to a floor "
        "measured in the same run.",
        "",
        "| what | value | floor | ratio | aim |",
        "| ---- | ----: | ----: | ----: | --- |",
    ]
    print("\n".join(lines), flush=True)
    for name in arguments.names or NAMES:
        for figure in importlib.import_module(f"benchmarks.{name}").run(arguments.smoke):
            lines.append(_row(figure))
            print(lines[-1], flush=True)
    if arguments.write:
        arguments.write.write_text("\n".join(lines) + "\n", "utf-8")
    return 0


def _row(figure: Figure) -> str:
    floor = f"{_number(figure.floor)} ({figure.floor_name})" if figure.floor else ""
    ratio = f"{figure.ratio:.2f}" if figure.ratio is not None else ""
    return f"| {figure.name} | {_number(figure.value)} {figure.unit} | {floor} | {ratio} | {figure.aim} |"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:,.2f}"


if __name__ == "__main__":
    sys.exit(main())
