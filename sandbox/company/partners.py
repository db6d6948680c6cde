"""``play()``: what partners, and whoever keeps their tables, do to the figures from one moment to the next.

================ ====================================================================================================
shape            what happens
================ ====================================================================================================
leave            every partner of the segments becomes inactive
return           every partner of the segments becomes active again
enter            the first partner of each segment enters ``daily_leads``: 99999, 0, a figure that cannot be
forget           the first partner of each segment has no figure any more: an empty field
away             the first partner of each segment announces that it is away from ``absent_from`` to ``absent_to``
all_away         the same of all of them
never_entered    the first partner of each segment has no row of capacity at all
quiet_weekday    each segment took ``daily_leads`` on every recorded day of yesterday's weekday, and does now
steady           each segment took ``daily_leads`` on each of the last 28 recorded days; what it takes now stays
stood            each segment took what it takes now on the last ``days`` recorded days
wide_figures     the company keeps figures as ``numeric`` without any check: negative, fractions, NaN, 10 digits
emptied          the table of partners' capacity is empty, as while it is loaded again
partners_emptied no partner is active
row_security     row level security is switched on for both tables, and no policy lets the pipeline see a row
hidden_capacity  the same for the table of capacity alone
grant_lost       the pipeline may not read the table of capacity any more
repaired         grants and row level security are as they were
================ ====================================================================================================
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import psycopg

# The partners of some segments; of each, the first.
_OF = """
select partners.id, row_number() over (partition by segments.id order by partners.id) as place
from public.partners
inner join public.lead_segments as segments
    on lower(partners.branch) = segments.branch
    and replace(lower(partners.region), ' ', '-') = segments.region
where segments.code = any(%(segments)s)
"""
_FIRST = f"select id from ({_OF}) as numbered where place = 1"
_OF_ALL = f"select id from ({_OF}) as numbered"
_NOW = f"""
select sum(daily_leads)::integer from public.partner_capacity
where partner_id in (select partners.id from public.partners where partners.is_active)
    and partner_id in ({_OF_ALL.replace("any(%(segments)s)", "recorded.code")})
"""
_RECORDED = """
update public.channel_metrics as metrics
set capacity_total_leads = {leads}
from public.lead_segments as recorded
where metrics.segment_id = recorded.id and recorded.code = any(%(segments)s)
    and metrics.channel = 'partner_capacity' and metrics.date < public.lead_today() - 1
    and {days}
"""
_SHAPES = {
    "leave": (f"update public.partners set is_active = false where id in ({_OF_ALL})",),
    "return": (f"update public.partners set is_active = true where id in ({_OF_ALL})",),
    "enter": (
        f"update public.partner_capacity set daily_leads = %(daily_leads)s::numeric where partner_id in ({_FIRST})",
    ),
    "forget": (
        "alter table public.partner_capacity alter column daily_leads drop not null",
        f"update public.partner_capacity set daily_leads = null where partner_id in ({_FIRST})",
    ),
    "away": (
        "update public.partner_capacity set absent_from = %(absent_from)s, absent_to = %(absent_to)s "
        f"where partner_id in ({_FIRST})",
    ),
    "all_away": (
        "update public.partner_capacity set absent_from = %(absent_from)s, absent_to = %(absent_to)s "
        f"where partner_id in ({_OF_ALL})",
    ),
    "never_entered": (f"delete from public.partner_capacity where partner_id in ({_FIRST})",),
    "quiet_weekday": (
        _RECORDED.format(
            leads="%(daily_leads)s",
            days="extract(isodow from metrics.date) = extract(isodow from public.lead_today() - 1)",
        ),
        f"update public.partner_capacity set daily_leads = 0 where partner_id in ({_OF_ALL})",
        f"update public.partner_capacity set daily_leads = %(daily_leads)s where partner_id in ({_FIRST})",
    ),
    "steady": (_RECORDED.format(leads="%(daily_leads)s", days="metrics.date >= public.lead_today() - 29"),),
    "stood": (_RECORDED.format(leads=f"({_NOW})", days="metrics.date >= public.lead_today() - 1 - %(days)s"),),
    "wide_figures": (
        "alter table public.partner_capacity drop constraint if exists partner_capacity_daily_leads_check",
        "alter table public.partner_capacity alter column daily_leads type numeric",
    ),
    "emptied": ("delete from public.partner_capacity",),
    "partners_emptied": ("update public.partners set is_active = false",),
    "row_security": (
        "alter table public.partners enable row level security",
        "alter table public.partner_capacity enable row level security",
    ),
    "hidden_capacity": ("alter table public.partner_capacity enable row level security",),
    "grant_lost": ("revoke select on public.partner_capacity from lead_pipeline",),
    "repaired": (
        "alter table public.partners disable row level security",
        "alter table public.partner_capacity disable row level security",
        "grant select on public.partners, public.partner_capacity to lead_pipeline",
    ),
}


def play(
    url: str,
    shape: str,
    segments: Sequence[str] = (),
    *,
    daily_leads: int | str | None = None,
    days: int = 0,
    absent_from: date | None = None,
    absent_to: date | None = None,
) -> None:
    """Let it happen, in one transaction.

    :param url: the database, as its owner.
    :param shape: of the table above.
    :param segments: codes of the segments that it happens to, where the shape is about segments.
    :param daily_leads: leads per day; text where no integer is meant.
    :param absent_from: the first day of an absence, None = there is none.
    :param absent_to: its last day, None = until further notice.
    Raises KeyError for a shape that is not in the table.
    """
    values = {
        "segments": list(segments),
        "daily_leads": daily_leads,
        "days": days,
        "absent_from": absent_from,
        "absent_to": absent_to,
    }
    with psycopg.connect(url) as connection:
        for statement in _SHAPES[shape]:
            connection.execute(statement, values)
