"""``play()``: what forms, imports and the people who keep the leads write into the company's own table of leads.

============== ======================================================================================================
shape          what happens
============== ======================================================================================================
invalid        a lead on each day whose status says that it is none: ``invalid``
status         the leads that were decided on these days have the status ``word`` instead
double_post    a lead on each day that its form posted twice, two seconds apart
source         the leads of these days that came from Google Ads say ``word`` instead: empty, ``Google Ads``, ``t.co``
no_branch      a lead on each day without a branch: NULL, or the blank ``word``
nowhere        a lead on each day without a branch, a region or a postal code
elsewhere      a lead on each day of a branch and a region that no segment serves
by_hand        a lead on each day of a branch that no segment serves, which a person gave to the segment
deactivated    a lead on each day, and the segments are deactivated before anybody looked at them
naive_times    the column ``created_at`` has no time zone any more: it shows the clock in Amsterdam
============== ======================================================================================================

Each shape but the last happens to the segments that are named, on the last ``days`` days up to yesterday.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg


def _a_lead(
    *, status: str = "'new'", branch: str = "segments.branch", region: str = "segments.region", segment: str = "null",
    contact: str = "null", after: str = "1 hour",
) -> str:  # fmt: skip
    """One lead of each segment on each day, at so much after midnight in Amsterdam."""
    return f"""
insert into public.leads (created_at, status, branch, region, country, email, source_channel, segment_id)
select
    day + interval '{after}', {status}, {branch}, {region}, segments.country, {contact}, 'seo', {segment}
from public.lead_segments as segments
cross join generate_series(public.lead_today() - %(days)s::int, public.lead_today() - 1, interval '1 day') as day
where segments.code = any(%(segments)s)
order by day, segments.code
"""


_OF_THESE_DAYS = """
segment_id in (select id from public.lead_segments where code = any(%(segments)s))
and (created_at at time zone 'Europe/Amsterdam')::date
between public.lead_today() - %(days)s::int and public.lead_today() - 1
"""
_CONTACT = "'twice.' || segments.code || '@example.invalid'"
_SHAPES = {
    "invalid": (_a_lead(status="'invalid'"),),
    "status": (
        f"update public.leads set status = %(word)s where status in ('accepted', 'rejected') and {_OF_THESE_DAYS}",
    ),
    "double_post": (_a_lead(contact=_CONTACT), _a_lead(contact=_CONTACT, after="1 hour 2 seconds")),
    "source": (
        f"update public.leads set source_channel = %(word)s where source_channel = 'google_ads' and {_OF_THESE_DAYS}",
    ),
    "no_branch": (_a_lead(branch="%(word)s"),),
    "nowhere": (_a_lead(branch="null", region="null"),),
    "elsewhere": (_a_lead(branch="'slotenmaker'", region="'Drenthe'"),),
    "by_hand": (_a_lead(branch="'slotenmaker'", segment="segments.id"),),
    "deactivated": (
        _a_lead(),
        "update public.lead_segments set is_active = false where code = any(%(segments)s)",
    ),
    "naive_times": (
        "alter table public.leads alter column created_at type timestamp "
        "using created_at at time zone 'Europe/Amsterdam'",
    ),
}


def play(url: str, shape: str, segments: Sequence[str] = (), *, word: str | None = None, days: int = 1) -> None:
    """Let it happen, in one transaction.

    :param url: the database, as its owner.
    :param shape: of the table above.
    :param segments: codes of the segments that it happens to.
    :param word: what is written, where the shape is about a word.
    :param days: how many days up to yesterday.
    Raises KeyError for a shape that is not in the table.
    """
    values: dict[str, Any] = {"segments": list(segments), "word": word, "days": days}
    with psycopg.connect(url) as connection:
        # A time of the day is a time in Amsterdam, whether the column has a time zone or not.
        connection.execute("set local timezone = 'Europe/Amsterdam'")
        for statement in _SHAPES[shape]:
            connection.execute(statement, values if "%(" in statement else None)
