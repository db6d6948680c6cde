"""Who exists in the sandbox: segments, their partners, campaigns, budgets and web sites.

The first twelve segments are written by hand, so that the first morning shows every kind of decision; any further
ones are generated. Nothing here changes while the world runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from sandbox.world.noise import uniform

MANAGER = "9999999999"
PAINTERS, ROOFERS = "1234567890", "2345678901"
CUSTOMERS = {PAINTERS: "Vakwerkgids Schilders", ROOFERS: "Vakwerkgids Daken"}
CURRENCY, TIME_ZONE = "EUR", "Europe/Amsterdam"
MARKETING_USER = "marketing@vakwerkgids.example"
PIPELINE_USER = "lead-pipeline@vakwerkgids.example"
SITE_URL = "sc-domain:vakwerkgids.example"
MAIN_HOST = "www.vakwerkgids.example"
GA4_PROPERTY = "345678901"
DEFAULT_SEGMENTS = 12

Role = Literal[
    "increase", "decrease", "balance", "no_campaign", "shared_budget", "learning", "unknown_capacity", "market_limited"
]

# Province: real postal prefixes (the first digits of a Dutch postal code) and a few towns as (four digits, name).
PROVINCES: dict[str, tuple[tuple[str, ...], tuple[tuple[str, str], ...]]] = {
    "noord-brabant": (
        ("46", "47", "48", "49", "50", "51", "52", "53", "54", "55", "56", "57"),
        (("5211", "'s-Hertogenbosch"), ("5611", "Eindhoven"), ("4811", "Breda"), ("5038", "Tilburg")),
    ),
    "utrecht": (
        ("34", "35", "36", "37", "380", "381", "382", "383"),
        (("3511", "Utrecht"), ("3811", "Amersfoort"), ("3701", "Zeist")),
    ),
    "zuid-holland": (
        ("22", "23", "24", "25", "26", "27", "28", "29", "30", "31", "32", "33"),
        (("3011", "Rotterdam"), ("2511", "Den Haag"), ("2311", "Leiden"), ("3311", "Dordrecht")),
    ),
    "noord-holland": (
        ("10", "11", "12", "14", "15", "16", "17", "18", "19", "20", "21"),
        (("1012", "Amsterdam"), ("2011", "Haarlem"), ("1811", "Alkmaar")),
    ),
    # The Bommelerwaard is Gelderland inside a Brabant prefix: the longest prefix has to win.
    "gelderland": (
        ("384", "385", "386", "387", "40", "41", "5301", "65", "66", "67", "68", "69", "70", "71", "72", "73"),
        (("6811", "Arnhem"), ("6511", "Nijmegen"), ("7311", "Apeldoorn"), ("5301", "Zaltbommel")),
    ),
    "limburg": (
        ("58", "59", "60", "61", "62", "63", "64"),
        (("6211", "Maastricht"), ("5911", "Venlo"), ("6411", "Heerlen")),
    ),
    "overijssel": (
        ("74", "75", "76", "77", "80", "81"),
        (("8011", "Zwolle"), ("7511", "Enschede"), ("7411", "Deventer")),
    ),
    "zeeland": (("43", "44", "45"), (("4331", "Middelburg"), ("4461", "Goes"), ("4531", "Terneuzen"))),
}
# Where people live whom no segment serves: their leads stay without a segment.
ELSEWHERE = ("schilder", "friesland", (("8911", "Leeuwarden"), ("8601", "Sneek"), ("9203", "Drachten")))

# Trades of the generated segments; none of the hand-written ones, so that no two segments overlap.
_TRADES = (
    *("loodgieter", "elektricien", "timmerman", "metselaar", "tegelzetter", "hovenier", "glaszetter", "kozijnen"),
    *("isolatie", "zonnepanelen", "warmtepomp", "badkamer", "keuken", "vloeren", "behang", "airco", "gevel", "voegen"),
    *("traprenovatie", "verhuizer"),
)


@dataclass(frozen=True)
class Segment:
    """A branch in a region.

    ``capacity`` is the number of accepted leads per day its partners take on the first morning; ``acceptance`` the
    chance that they accept a lead; ``seo``, ``microsite`` and ``direct`` the free leads per day on an average day.
    """

    code: str
    branch: str
    region: str
    postal_prefixes: tuple[str, ...]
    towns: tuple[tuple[str, str], ...]
    role: Role
    capacity: int
    acceptance: float
    seo: float
    microsite: float
    direct: float
    partners: int
    microsite_host: str | None

    @property
    def page_prefix(self) -> str:
        """The path of its pages on the main site."""
        return f"/{self.branch}/{self.region}"


@dataclass(frozen=True)
class Budget:
    """A daily budget; ``history`` holds (days before the first morning, EUR), oldest first, the last one in force."""

    customer: str
    id: int
    name: str
    history: tuple[tuple[int, int], ...]
    shared: bool = False

    @property
    def resource_name(self) -> str:
        return f"customers/{self.customer}/campaignBudgets/{self.id}"

    @property
    def amount(self) -> int:
        """EUR in force on the first morning."""
        return self.history[-1][1]


@dataclass(frozen=True)
class Campaign:
    """A search campaign: spending ``ref`` EUR on an average day it brings ``leads_at_ref`` leads.

    ``segment`` and ``budget`` are positions in the catalogue (segment -1: belongs to none). ``share`` is its part of
    its budget, ``market`` the EUR per day that its searches can absorb at most.
    """

    customer: str
    id: int
    name: str
    segment: int
    budget: int
    share: float
    ref: float
    leads_at_ref: float
    market: float
    click_price: float
    learning: bool = False
    rests_on_sunday: bool = False

    @property
    def resource_name(self) -> str:
        return f"customers/{self.customer}/campaigns/{self.id}"


@dataclass(frozen=True)
class Catalogue:
    """Everything that exists; positions in the tuples are the keys of the world's arrays."""

    segments: tuple[Segment, ...]
    budgets: tuple[Budget, ...]
    campaigns: tuple[Campaign, ...]

    @cached_property
    def campaigns_of_segment(self) -> dict[int, list[int]]:
        found: dict[int, list[int]] = {}
        for position, campaign in enumerate(self.campaigns):
            found.setdefault(campaign.segment, []).append(position)
        return found

    @cached_property
    def campaigns_of_budget(self) -> dict[int, list[int]]:
        found: dict[int, list[int]] = {}
        for position, campaign in enumerate(self.campaigns):
            found.setdefault(campaign.budget, []).append(position)
        return found


@dataclass(frozen=True)
class _Place:
    prefixes: tuple[str, ...]
    towns: tuple[tuple[str, str], ...]


class _Builder:
    """Collects rows; campaign and budget ids count up from readable starts."""

    def __init__(self) -> None:
        self.segments: list[Segment] = []
        self.budgets: list[Budget] = []
        self.campaigns: list[Campaign] = []

    def segment(
        self, branch: str, region: str, role: Role, *, capacity: int, acceptance: float, free: float,
        microsite: bool = True, place: _Place | None = None,
    ) -> int:  # fmt: skip
        """``free`` leads per day, split over SEO, direct and, if there is one, the microsite."""
        where = place or _Place(*PROVINCES[region])
        self.segments.append(
            Segment(
                code=f"{branch}_{region}".replace("-", "_"),
                branch=branch,
                region=region,
                postal_prefixes=where.prefixes,
                towns=where.towns,
                role=role,
                capacity=capacity,
                acceptance=acceptance,
                seo=free * (0.5 if microsite else 0.75),
                microsite=free * 0.3 if microsite else 0.0,
                direct=free * (0.2 if microsite else 0.25),
                partners=max(2, round(capacity / 3)),
                microsite_host=f"{branch}-{region}.example" if microsite else None,
            )
        )
        return len(self.segments) - 1

    def budget(self, customer: str, name: str, *history: tuple[int, int], shared: bool = False) -> int:
        self.budgets.append(Budget(customer, 30000002001 + len(self.budgets), name, history, shared))
        return len(self.budgets) - 1

    def campaign(
        self, segment: int, budget: int, leads: float, *, share: float = 1.0, room: float = 3.0,
        learning: bool = False, rests_on_sunday: bool = False,
    ) -> None:  # fmt: skip
        """``leads`` per day at the budget of the first morning; ``room``: what the market absorbs, over that budget."""
        owner = self.budgets[budget]
        label = self.segments[segment].code if owner.shared else owner.name
        ref = owner.amount * share
        self.campaigns.append(
            Campaign(
                customer=owner.customer,
                id=20000001001 + len(self.campaigns),
                name=f"NL | {label} | search",
                segment=segment,
                budget=budget,
                share=share,
                ref=ref,
                leads_at_ref=leads,
                market=ref * room,
                click_price=ref / leads / 12,
                learning=learning,
                rests_on_sunday=rests_on_sunday,
            )
        )


def _hand_written(b: _Builder) -> None:
    """The twelve segments of the default world, and one campaign that belongs to none.

    A segment needs capacity / acceptance leads per day; ``free`` and its campaigns' leads are what it gets.
    """
    s = b.segment("schilder", "noord-brabant", "increase", capacity=12, acceptance=0.75, free=3.0)
    b.campaign(s, b.budget(PAINTERS, "schilder_noord_brabant", (120, 90), (74, 110)), 6.0)

    s = b.segment("schilder", "utrecht", "decrease", capacity=5, acceptance=0.75, free=2.0)
    b.campaign(s, b.budget(PAINTERS, "schilder_utrecht", (120, 120), (25, 140)), 9.0)

    s = b.segment("schilder", "zuid-holland", "increase", capacity=14, acceptance=0.7, free=4.0)
    b.campaign(s, b.budget(PAINTERS, "schilder_zuid_holland", (120, 90)), 4.5)
    b.campaign(s, b.budget(PAINTERS, "schilder_den_haag", (120, 40), (61, 50)), 2.5)

    s = b.segment("schilder", "gelderland", "balance", capacity=7, acceptance=0.7, free=2.5)
    b.campaign(s, b.budget(PAINTERS, "schilder_gelderland", (120, 115), (12, 125)), 7.0)

    s = b.segment("dakdekker", "zuid-holland", "decrease", capacity=5, acceptance=0.65, free=1.7)
    b.campaign(s, b.budget(ROOFERS, "dakdekker_zuid_holland", (120, 150)), 11.0)

    s = b.segment("dakdekker", "limburg", "increase", capacity=8, acceptance=0.65, free=1.5)
    b.campaign(s, b.budget(ROOFERS, "dakdekker_limburg", (120, 100), (20, 120)), 5.0)

    # In balance, and a person moved its budget two days before the first morning.
    s = b.segment("dakdekker", "noord-holland", "balance", capacity=6, acceptance=0.66, free=1.6)
    b.campaign(s, b.budget(ROOFERS, "dakdekker_noord_holland", (120, 120), (2, 130)), 7.5)

    shared = b.budget(ROOFERS, "dakdekker_overijssel_en_zeeland", (120, 100), shared=True)
    s = b.segment("dakdekker", "overijssel", "shared_budget", capacity=5, acceptance=0.65, free=1.0, microsite=False)
    b.campaign(s, shared, 2.5, share=0.6)
    s = b.segment("dakdekker", "zeeland", "shared_budget", capacity=3, acceptance=0.65, free=0.6, microsite=False)
    b.campaign(s, shared, 1.5, share=0.4)

    s = b.segment("schilder", "noord-holland", "learning", capacity=10, acceptance=0.72, free=3.0)
    b.campaign(s, b.budget(PAINTERS, "schilder_noord_holland", (120, 95)), 5.0, learning=True)

    b.segment("stukadoor", "utrecht", "no_campaign", capacity=4, acceptance=0.7, free=1.8, microsite=False)

    s = b.segment(
        "stukadoor", "noord-brabant", "unknown_capacity", capacity=5, acceptance=0.7, free=1.2, microsite=False
    )
    b.campaign(s, b.budget(PAINTERS, "stukadoor_noord_brabant", (120, 70)), 4.0, rests_on_sunday=True)

    b.campaign(-1, b.budget(ROOFERS, "merknaam", (120, 25)), 1.2, rests_on_sunday=True)


# How often a role is drawn for a generated segment, and the leads it then gets as a share of what it needs.
_GENERATED: tuple[tuple[Role, float, float], ...] = (
    ("increase", 0.30, 0.55),
    ("decrease", 0.25, 1.60),
    ("balance", 0.33, 1.00),
    ("market_limited", 0.06, 0.60),
    ("learning", 0.03, 0.60),
    ("unknown_capacity", 0.03, 1.00),
)


def _generated(b: _Builder, number: int, seed: int) -> None:
    """One further segment: a trade in a three-digit postal area."""
    branch, prefix = _TRADES[number % len(_TRADES)], str(100 + number // len(_TRADES))
    u = uniform(seed, 90, number, np.arange(6)).tolist()
    drawn = int(np.searchsorted(np.cumsum([often for _, often, _ in _GENERATED]), u[0], side="right"))
    role, _, fill = _GENERATED[min(drawn, len(_GENERATED) - 1)]
    capacity, acceptance = 2 + int(u[1] * 9), 0.6 + 0.2 * u[2]
    free = capacity / acceptance * (0.15 + 0.15 * u[3])
    paid = capacity / acceptance * fill - free
    s = b.segment(
        branch, f"regio-{prefix}", role, capacity=capacity, acceptance=acceptance, free=free, microsite=u[4] < 0.3,
        place=_Place((prefix,), ((f"{prefix}1", f"Plaats {prefix}"),)),
    )  # fmt: skip
    euros = max(5, round(paid * (12 + 14 * u[5])))
    budget = b.budget(PAINTERS if number % 2 else ROOFERS, b.segments[s].code, (120, euros))
    b.campaign(s, budget, paid, room=0.8 if role == "market_limited" else 3.0, learning=role == "learning")


def build(segments: int = DEFAULT_SEGMENTS, seed: int = 1) -> Catalogue:
    """The catalogue with that many segments (at least the twelve written by hand, at most 10,000 all told)."""
    if not DEFAULT_SEGMENTS <= segments <= 10_000:
        raise ValueError(
            f"SANDBOX_SEGMENTS={segments} is outside {DEFAULT_SEGMENTS} to 10000. Nothing was started; "
            "set a number in that range, or leave it out."
        )
    builder = _Builder()
    _hand_written(builder)
    for number in range(segments - DEFAULT_SEGMENTS):
        _generated(builder, number, seed)
    return Catalogue(tuple(builder.segments), tuple(builder.budgets), tuple(builder.campaigns))
