-- Grain: one finding about an account or a budget as it was just read.
-- Why: what holds a budget for a reason that only a person can remove is a row that can be queried, with what to do.
with found as (
    select distinct
        'account_not_comparable' as name,
        'stop' as level,
        null::uuid as segment_id,
        budgets.account as subject,
        format(
            '%%s account %%s reports in %%s and %%s; %%s and %%s are configured. Its budgets are held.',
            budgets.channel, budgets.account, budgets.currency, budgets.time_zone, %(currency)s::text, %(time_zone)s::text
        ) as detail,
        'Move the campaigns to an account that matches, or correct currency and time_zone in orchestration_settings.' as remediation
    from channel_budgets as budgets
    where
        budgets.channel = %(channel)s
        and budgets.account = %(account)s
        and budgets.dag_run_id = %(dag_run_id)s
        and (budgets.currency, budgets.time_zone) <> (%(currency)s::text, %(time_zone)s::text)
    union all
    select
        'budget_shared',
        'stop',
        sources.segment_id,
        budgets.budget_id,
        format(
            'Budget %%s of %%s pays for %%s campaigns, %%s of them of this segment; it is held.',
            budgets.budget_id, min(segments.code), max(budgets.campaigns_on_budget), count(*)
        ),
        'Give the campaigns of the segment a budget of their own in Google Ads.'
    from channel_sources as sources
    inner join lead_segments as segments on sources.segment_id = segments.id
    inner join channel_budgets as budgets
        on
            sources.channel = budgets.channel
            and sources.account = budgets.account
            and sources.external_id = budgets.campaign_id
    where
        sources.is_active
        and lead_today() between coalesce(sources.valid_from, '-infinity') and coalesce(sources.valid_to, 'infinity')
        and budgets.channel = %(channel)s
        and budgets.account = %(account)s
        and budgets.dag_run_id = %(dag_run_id)s
    group by sources.segment_id, budgets.budget_id
    having max(budgets.campaigns_on_budget) > count(*)
)

insert into pipeline_findings (name, level, segment_id, channel, subject, detail, remediation)
select
    found.name,
    found.level,
    found.segment_id,
    %(channel)s,
    found.subject,
    found.detail,
    found.remediation
from found
on conflict (name, segment_id, channel, date, subject) do update
set
    level = excluded.level,
    detail = excluded.detail,
    remediation = excluded.remediation,
    last_seen = greatest(pipeline_findings.last_seen, now())
