-- Grain: one finding about an account or a budget as it was just read.
-- Why: what holds a budget for a reason that only a person can remove is a row that can be queried, with what to do.
with found as (
    select distinct
        'account_not_comparable' as name,
        'stop' as level,
        null::uuid as segment_id,
        budgets.channel,
        null::date as date,
        budgets.account as subject,
        format(
            '%%s account %%s reports in %%s and %%s; %%s and %%s are configured. Its budgets are held.',
            budgets.channel, budgets.account, budgets.currency, budgets.time_zone, %(currency)s::text, %(time_zone)s::text
        ) as detail,
        'Move the campaigns to an account that matches, or correct currency and time_zone in orchestration_settings.' as remediation,
        null::date as evidence_date
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
        min(budgets.channel),
        null,
        min(budgets.account) || '/' || budgets.budget_id,
        format(
            'Budget %%s of %%s pays for %%s campaigns, %%s of them of this segment; it is held.',
            budgets.budget_id, min(segments.code), max(budgets.campaigns_on_budget), count(*)
        ),
        'Give the campaigns of the segment a budget of their own in Google Ads.',
        null
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
    union all
    -- An edit that one of our changes overwrote is open while that change is the budget's last and was not reverted.
    select
        stored.name,
        stored.level,
        stored.segment_id,
        stored.channel,
        stored.date,
        stored.subject,
        stored.detail,
        stored.remediation,
        stored.evidence_date
    from pipeline_findings as stored
    cross join lateral (
        select
            log.decision_date,
            log.kind
        from channel_orchestration_log as log
        where
            log.channel = stored.channel
            and log.external_id = substr(stored.subject, length(%(account)s::text) + 2)
            and log.status = 'success'
            and log.decision_date >= lead_today() - 28
        order by log.decision_date desc, log.closed_at desc
        limit 1
    ) as newest
    where
        stored.name = 'edit_overwritten'
        and stored.channel = %(channel)s
        and starts_with(stored.subject, %(account)s::text || '/')
        and stored.resolved_at is null
        and newest.kind = 'plan'
        and newest.decision_date = stored.evidence_date
),

checked as (
    select
        looked_for.name,
        %(channel)s::text as channel,
        %(account)s::text as account,
        '-infinity'::date as first,
        'infinity'::date as last
    from (values ('account_not_comparable'), ('budget_shared'), ('edit_overwritten')) as looked_for (name)
),

{% include 'findings/record_found.sql' %}
