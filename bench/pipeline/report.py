"""The figures as one page of Markdown."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version

import psutil

from bench.pipeline.measure import Figure, Findings, Scale

PAGE = "PIPELINE-BENCHMARK.md"


def markdown(found: Findings, scale: Scale, minutes: float) -> str:
    """The whole page: what ran where, every aim, every figure, and where the time goes."""
    aims = [figure for figure in found.figures if figure.verdict]
    missed = [figure for figure in aims if figure.verdict == "not met"]
    lines = [
        "# What a morning costs",
        "",
        "Written by `make bench`. Every ratio compares two figures of the same run on the same machine; the seconds "
        "themselves are this machine's.",
        "",
        f"{os.cpu_count()} cores, {psutil.virtual_memory().total / 2**30:.0f} GB of memory, {platform.system()}, "
        + (f"PostgreSQL {found.server}, " if found.server else "")
        + f"Python {platform.python_version()}, Airflow {version('apache-airflow')}; {minutes:.0f} minutes.",
        "",
        f"**{len(aims) - len(missed)} of {len(aims)} aims are met.**",
        "",
        "## The aims",
        "",
        "| | measured | ours | the limit beside it | ratio | must reach | |",
        "|---|---|---:|---:|---:|---:|---|",
        *(_aim(figure) for figure in aims),
        "",
        *_missed(missed),
        "## For comparison",
        "",
        "| | measured | found | against | ratio | |",
        "|---|---|---:|---:|---:|---|",
        *(_line(figure) for figure in found.figures if not figure.verdict),
    ]
    if found.profiles:
        lines += ["", "## Where the time goes"]
        for what, rows in found.profiles.items():
            lines += ["", f"### {what}", "", *rows]
    return "\n".join(lines) + "\n"


def _missed(figures: list[Figure]) -> list[str]:
    if not figures:
        return []
    return [
        "## What is missed, and why",
        "",
        *(f"- {figure.section}, {figure.what}: {figure.why or 'the profile below shows it.'}" for figure in figures),
        "",
    ]


def _number(value: float, unit: str) -> str:
    if unit in ("rows", "rows/s", "MB", "instances"):
        return f"{value:,.0f} {unit}"
    return f"{value:.3g} {unit}" if value < 100 else f"{value:,.0f} {unit}"


def _against(figure: Figure) -> str:
    return f"{_number(figure.limit, figure.unit)} ({figure.against})" if figure.limit is not None else ""


def _ratio(figure: Figure) -> str:
    return "" if figure.ratio is None else f"{figure.ratio:.2f}" if figure.ratio < 100 else f"{figure.ratio:,.0f}"


def _aim(figure: Figure) -> str:
    unit = f" {figure.unit}" if figure.ratio is None else ""
    if figure.at_least is not None and figure.at_least == figure.at_most:
        must = f"= {figure.at_least:g}"
    else:
        must = f"≥ {figure.at_least:g}" if figure.at_least is not None else f"≤ {figure.at_most:g}{unit}"
    return (
        f"| {figure.section} | {figure.what} | {_number(figure.ours, figure.unit)} | {_against(figure)} | "
        f"{_ratio(figure)} | {must} | **{figure.verdict}**{' ' + figure.note if figure.note else ''} |"
    )


def _line(figure: Figure) -> str:
    return (
        f"| {figure.section} | {figure.what} | {_number(figure.ours, figure.unit)} | {_against(figure)} | "
        f"{_ratio(figure)} | {figure.note} |"
    )
