-- noqa: disable=all
-- Grain: an expression: whether the day `day` of the account `account` of the channel `channel` was fetched at a time that is `since`,
-- such as "> changes.changed_at"; without it this morning. `reads`: the rows of channel_fetches to look in, where not all.
-- Why: "fetched this morning, up to yesterday" and "read again since its sources were changed" are one question.
exists (
    select 1
    from {{ reads | default('channel_fetches') }} as fetches
    where
        fetches.channel = {{ channel }}
        and fetches.account = {{ account }}
        and fetches.fetched_at {{ since | default(">= lead_today()::timestamp at time zone 'Europe/Amsterdam'") }}
        and {{ day }} between fetches.date_from and fetches.date_to
)
