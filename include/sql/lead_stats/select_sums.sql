-- Grain: one line about one account on the last day of the window, or about leads or capacity; what differs first.
-- Why: that it adds up is said where people look, in one sentence each.
select
    format(
        '%%s %%s: %%s segments %%s + no segment %%s%%s%%s = %%s %%s%%s',
        names.channel,
        totals.account,
        totals.segments,
        coalesce(figure.in_segments, 'unknown'),
        figure.in_none,
        case when totals.not_counted <> 0 then ' + not counted ' || figure.not_counted else '' end,
        case
            when totals.left_out is null then ' + left out unknown'
            when totals.left_out <> 0 then ' + left out ' || figure.left_out
            else ''
        end,
        names.whole,
        coalesce(figure.reported, 'not asked'),
        case
            when abs(totals.difference) > totals.tolerance
                then format(', which DIFFERS by %%s (tolerance %%s)', figure.difference, figure.tolerance)
            when totals.difference <> 0
                then format(', within %%s (differs by %%s)', figure.tolerance, figure.difference)
            else ''
        end
    ) as line
from (
    -- A source that reports late is shown by the newest day that it has.
    select distinct on (channel, account, metric) *
    from channel_totals
    where
        date between %(last)s::date - 6 and %(last)s::date
        and (in_segments is not null or date = %(last)s::date)
    order by channel, account, metric, in_segments is null, date desc
) as totals
inner join (
    values
    ('google_ads', 'spend', 'Google Ads', 'account', '€'),
    ('search_console', 'clicks', 'Search Console', 'site', ''),
    ('ga4', 'sessions', 'GA4', 'property', ''),
    ('leads', 'leads', 'Leads of', 'all', ''),
    ('partner_capacity', 'capacity', 'Capacity of', 'all', '')
) as names (key, metric, channel, whole, unit) on totals.channel = names.key and totals.metric = names.metric
cross join lateral (
    select
        names.unit || to_char(totals.in_segments, form.at) as in_segments,
        names.unit || to_char(totals.in_none, form.at) as in_none,
        names.unit || to_char(totals.not_counted, form.at) as not_counted,
        names.unit || to_char(totals.left_out, form.at) as left_out,
        names.unit || to_char(totals.reported, form.at) as reported,
        names.unit || to_char(totals.tolerance, form.at) as tolerance,
        names.unit || to_char(totals.difference, form.at) as difference
    from (select case names.unit when '€' then 'FM999,999,999,990.00' else 'FM999,999,999,990' end as at) as form
) as figure
order by
    coalesce(abs(totals.difference) > totals.tolerance, true) desc,
    array_position(array['google_ads', 'leads', 'partner_capacity', 'search_console', 'ga4'], totals.channel),
    totals.account
limit 12
