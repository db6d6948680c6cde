"""What the company's own database would hold: partners, capacity, leads, plans, limits; as JSON for the loader.

Names, addresses and numbers of people are invented: ``@example.invalid``, and an area code that does not exist.
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Any

import numpy as np

from sandbox.world import catalogue
from sandbox.world.catalogue import Catalogue, Segment
from sandbox.world.noise import uniform
from sandbox.world.state import AMSTERDAM, State
from sandbox.world.world import PAID, SEO, SOURCES, Leads

Json = dict[str, Any]
Table = dict[str, list[Any]]  # column name -> values, all of one length

# What marketing has set for every campaign: EUR as a share of its first budget, percents, days.
FLOOR, CAP, MAX_INCREASE_PCT, MAX_DECREASE_PCT, COOLDOWN_DAYS = 0.25, 3, 20, 30, 3
APPROVAL_THRESHOLD, MAX_DAILY_INCREASE = 75, 150
_TOTAL_CAP = 1.3  # of all first budgets
_WITHOUT_POSTAL_CODE = 0.06  # leads that only say in which province they are

_FIRST_NAMES = ("Sanne", "Daan", "Fatima", "Pieter", "Lotte", "Mehmet", "Joris", "Anouk", "Willem", "Naima", "Femke")
_LAST_NAMES = ("Bakker", "Visser", "Smit", "Meijer", "Mulder", "Bos", "Vos", "Peters", "Dekker", "Yilmaz", "Postma")
_PARTNERS = ("Van den Berg", "Jansen en Zonen", "De Vakman", "Hollands Glorie", "Het Team", "De Boer", "Nieuwland")
_KEYWORDS = ("{branch} {town}", "{branch} offerte", "goede {branch} gezocht", "{branch} kosten", "{branch} in de buurt")
_PEOPLE, _PLACE = 30, 31  # streams of random numbers


def company(state: State, first: date, last: date, as_of: date) -> Json:
    """The books of the days [first, last], as they stood in the morning of ``as_of``.

    ``leads``, ``capacity`` and ``plans`` are tables by column; the rest is what holds on ``as_of``. A lead is still
    ``new`` while its decision is not made by the day before ``as_of``.
    """
    names = state.catalogue
    days = state.days(first, min(last, as_of - timedelta(days=1)))
    capacity = state.world.capacity(as_of)
    return {
        "today": str(state.today()),
        "as_of": str(as_of),
        "segments": [
            {
                "code": s.code,
                "branch": s.branch,
                "region": s.region,
                "postal_prefixes": list(s.postal_prefixes),
            }
            for s in names.segments
        ],
        "limits": company_limits(names),
        "sources": _sources(names),
        "settings": {
            "total_daily_cap": round(_TOTAL_CAP * sum(b.amount for b in names.budgets)),
            "max_daily_increase": max(MAX_DAILY_INCREASE, sum(b.amount for b in names.budgets) // 10),
            "approval_threshold": APPROVAL_THRESHOLD,
        },
        "partners": [p for n, total in enumerate(capacity.tolist()) for p in _partners(names.segments[n], n, total)],
        "capacity": _capacity(state, [d.date for d in days]),
        "plans": _plans(state, [d.date for d in days]),
        "leads": _merge([_leads(state, state.world.leads(day), as_of) for day in days]),
    }


def company_limits(names: Catalogue) -> list[Json]:
    """Floor and cap in EUR, steps in percent, per segment with campaigns."""
    limits = []
    for position, segment in enumerate(names.segments):
        if campaigns := names.campaigns_of_segment.get(position):
            euros = sum(names.campaigns[c].ref for c in campaigns)
            limits.append(
                {
                    "segment": segment.code,
                    "channel": "google_ads",
                    "min_daily_budget": round(FLOOR * euros),
                    "max_daily_budget": round(CAP * euros),
                    "max_increase_pct": MAX_INCREASE_PCT,
                    "max_decrease_pct": MAX_DECREASE_PCT,
                    "cooldown_days": COOLDOWN_DAYS,
                }
            )
    return limits


def _sources(names: Catalogue) -> list[Json]:
    """Which campaign, pages and microsite belong to which segment."""

    def source(channel: str, account: str, external_id: str, segment: Segment, description: str) -> Json:
        return {
            "channel": channel,
            "account": account,
            "external_id": external_id,
            "segment": segment.code,
            "description": description,
        }

    sources = [
        source("google_ads", c.customer, str(c.id), names.segments[c.segment], c.name)
        for c in names.campaigns
        if c.segment >= 0
    ]
    for s in names.segments:
        pages = f"Pages of {s.branch} in {s.region}"
        sources.append(source("search_console", catalogue.SITE_URL, s.page_prefix, s, pages))
        sources.append(source("ga4", catalogue.GA4_PROPERTY, f"path:{s.page_prefix}", s, pages))
        if s.microsite_host:
            sources.append(source("ga4", catalogue.GA4_PROPERTY, s.microsite_host, s, "Microsite"))
    return sources


def _partner_id(position: int, number: int) -> int:
    return (position + 1) * 100 + number + 1


def _partners(segment: Segment, position: int, total: int) -> list[Json]:
    """The partners of a segment share its capacity evenly; None where nobody wrote it down."""
    known = segment.role != "unknown_capacity"
    return [
        {
            "id": _partner_id(position, n),
            "name": f"{_PARTNERS[n % len(_PARTNERS)]} {segment.branch.title()} {segment.towns[0][1]} {n + 1}",
            "branch": segment.branch,
            "region": segment.region.title(),
            "daily_leads": total // segment.partners + (n < total % segment.partners) if known else None,
        }
        for n in range(segment.partners)
    ]


def _capacity(state: State, days: list[date]) -> Table:
    """One row per (segment, day) whose capacity is known: partners and accepted leads per day."""
    known = [n for n, s in enumerate(state.catalogue.segments) if s.role != "unknown_capacity"]
    table: Table = {"segment": [], "date": [], "partners": [], "leads": []}
    for day in days:
        leads = state.world.capacity(day).tolist()
        for n in known:
            segment = state.catalogue.segments[n]
            table["segment"].append(segment.code)
            table["date"].append(str(day))
            table["partners"].append(min(segment.partners, leads[n]))
            table["leads"].append(leads[n])
    return table


def _plans(state: State, days: list[date]) -> Table:
    """One row per (segment, day): leads to aim for, EUR in force; None where unknown or not applicable."""
    segments, campaigns = state.catalogue.segments, state.catalogue.campaigns
    owners, budgets = np.array([c.segment for c in campaigns]), np.array([c.budget for c in campaigns])
    shares = np.array([c.share for c in campaigns])
    table: Table = {"segment": [], "date": [], "target": [], "euros": []}
    for day in days:
        euros = np.zeros(len(segments) + 1)
        np.add.at(euros, owners, state.budgets_on(day)[budgets] * shares)  # -1 lands in the spare last place
        for n, (segment, leads) in enumerate(zip(segments, state.world.capacity(day).tolist(), strict=True)):
            is_known, is_paid = segment.role != "unknown_capacity", n in state.catalogue.campaigns_of_segment
            table["segment"].append(segment.code)
            table["date"].append(str(day))
            table["target"].append(round(leads / segment.acceptance) if is_known else None)
            table["euros"].append(f"{euros[n]:.2f}" if is_paid else None)
    return table


def _leads(state: State, leads: Leads, as_of: date) -> Table:
    """The leads of one day, in order of their time."""
    names, seed = state.catalogue, state.world.seed
    order = np.argsort(leads.second, kind="stable")
    place, number, source = leads.place[order], leads.number[order], leads.source[order]
    index = (leads.date - state.first_day).days
    key = place * len(SOURCES) + source
    people = uniform(seed, _PEOPLE, key[:, None], index, number[:, None], np.arange(3)[None, :])
    places = uniform(seed, _PLACE, key[:, None], index, number[:, None], np.arange(4)[None, :])
    decided = np.array([leads.date + timedelta(days=int(n)) < as_of for n in range(8)])[leads.delay]

    homes = [(s.branch, s.region.title(), s.towns) for s in names.segments]
    branch, region, towns = catalogue.ELSEWHERE
    homes.append((branch, region.title(), towns))  # the last one serves segment -1
    midnight = datetime.combine(leads.date, time.min)
    hours = [(midnight + timedelta(hours=n)).replace(tzinfo=AMSTERDAM).isoformat() for n in range(24)]
    # Plain numbers, because taking them out of an array one by one is most of the work.
    facts = (leads.id[order], leads.second[order], leads.segment[order], place, source)
    flags = (leads.attributed[order], decided[order], leads.accepted[order])
    rows = []
    for id_, second, position, campaign, origin, is_known, is_decided, is_accepted, person, spot in zip(
        *(array.tolist() for array in (*facts, *flags, people, places)), strict=True
    ):
        branch, region, towns = homes[position]
        (digits, town), letters = towns[int(spot[0] * len(towns))], int(spot[1] * 676)
        has_code = spot[2] >= _WITHOUT_POSTAL_CODE
        first = _FIRST_NAMES[int(person[0] * len(_FIRST_NAMES))]
        last = _LAST_NAMES[int(person[1] * len(_LAST_NAMES))]
        status = "new" if not is_decided else "accepted" if is_accepted else "rejected"
        is_bought = status == "accepted" and position >= 0  # a lead from elsewhere goes to a partner outside the books
        keyword = None
        if is_known and origin in (PAID, SEO):
            keyword = _KEYWORDS[int(spot[3] * len(_KEYWORDS))].format(branch=branch, town=town.lower())
        hour = hours[second // 3600]
        row = (
            id_,
            f"{hour[:14]}{second % 3600 // 60:02d}:{second % 60:02d}{hour[19:]}",
            status,
            branch,
            f"{digits} {chr(65 + letters // 26)}{chr(65 + letters % 26)}" if has_code else None,
            region,
            town if has_code else None,
            f"{first} {last}",
            f"{first}.{last}.{id_}@example.invalid".lower(),
            f"000 555 {int(person[2] * 10_000):04d}",
            "35.00" if status == "accepted" else None,
            _partner_id(position, id_ % names.segments[position].partners) if is_bought else None,
            SOURCES[origin] if is_known else None,
            str(names.campaigns[campaign].id) if is_known and origin == PAID else None,
            keyword,
        )
        rows.append(row)
    columns = (
        "id", "created_at", "status", "branch", "postal_code", "region", "city", "name", "email", "phone", "price",
        "partner_id", "source_channel", "source_campaign_id", "source_keyword",
    )  # fmt: skip
    return {name: [row[n] for row in rows] for n, name in enumerate(columns)}


def _merge(tables: list[Table]) -> Table:
    return {name: [value for table in tables for value in table[name]] for name in (tables[0] if tables else ())}
