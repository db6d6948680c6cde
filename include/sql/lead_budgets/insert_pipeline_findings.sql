-- Grain: one finding about an account or a budget as it was just read.
-- Why: what holds a budget for a reason that only a person can remove is a row that can be queried, with what to do.
with read_now as (
    select *
    from channel_budgets
    where channel = %(channel)s and account = %(account)s and dag_run_id = %(dag_run_id)s
),

mapped as (
    select
        sources.segment_id,
        segments.code,
        read_now.channel,
        read_now.account,
        read_now.campaign_id,
        read_now.campaign_name,
        read_now.budget_id,
        read_now.campaigns_on_budget,
        read_now.is_serving,
        read_now.is_learning,
        read_now.not_steerable,
        read_now.not_steerable_detail,
        read_now.base_campaign_id,
        -- A person who steers it by hand has said so. Limits that cannot be read are told elsewhere, and stop no other check.
        exists (
            select 1
            from lead_segment_channels as limits
            where
                limits.segment_id = sources.segment_id
                and limits.channel = sources.channel
                and to_jsonb(limits) ->> 'is_automated' = 'false'
        ) as is_by_hand
    from channel_sources as sources
    inner join lead_segments as segments on sources.segment_id = segments.id
    inner join read_now on sources.external_id = read_now.campaign_id
    where
        sources.channel = %(channel)s
        and sources.account = %(account)s
        and sources.is_active
        and lead_today() between coalesce(sources.valid_from, '-infinity') and coalesce(sources.valid_to, 'infinity')
),

found as (
    select distinct
        other.name,
        'stop' as level,
        null::uuid as segment_id,
        budgets.channel,
        null::date as date,
        budgets.account as subject,
        format(
            '%%s account %%s has the %%s %%s (configured: %%s). Its budgets are held, and what it spends is not counted.',
            budgets.channel, budgets.account, other.words, other.found, other.configured
        ) as detail,
        %(advice)s::jsonb ->> other.name as remediation,
        null::date as evidence_date,
        null::numeric as amount
    from read_now as budgets
    cross join lateral (
        select
            'currency_mismatch' as name,
            'currency' as words,
            budgets.currency as found,
            %(currency)s::text as configured
        union all
        select
            'time_zone_mismatch',
            'time zone',
            budgets.time_zone,
            %(time_zone)s::text
    ) as other
    where other.found <> other.configured
    union all
    select
        'shared_budget',
        'stop',
        mapped.segment_id,
        min(mapped.channel),
        null,
        min(mapped.account) || '/' || mapped.budget_id,
        format(
            'Budget %%s of %%s pays for %%s campaigns, %%s of them of this segment; it is held.',
            mapped.budget_id, min(mapped.code), max(mapped.campaigns_on_budget), count(*)
        ),
        %(advice)s::jsonb ->> 'shared_budget',
        null,
        null
    from mapped
    where mapped.base_campaign_id is null
    group by mapped.segment_id, mapped.budget_id
    having max(mapped.campaigns_on_budget) > count(*) and bool_or(mapped.is_serving)
    union all
    select
        mapped.not_steerable,
        'warn',
        mapped.segment_id,
        mapped.channel,
        null,
        mapped.account || '/' || mapped.campaign_id,
        format(
            'Campaign %%s (%%s) of %%s: %%s. Its budget is left alone, and the segment is held.',
            mapped.campaign_name, mapped.campaign_id, mapped.code, mapped.not_steerable_detail
        ),
        %(advice)s::jsonb ->> mapped.not_steerable,
        null,
        null
    from mapped
    where
        mapped.is_serving
        and mapped.not_steerable is not null
        and not mapped.is_by_hand
    union all
    -- Learning takes a week or so, and holds the budget meanwhile: what does not end asks for a person.
    select
        'learning_long',
        'stop',
        mapped.segment_id,
        mapped.channel,
        null,
        mapped.account || '/' || mapped.campaign_id,
        format(
            'Campaign %%s (%%s) of %%s has been learning on each of the last %%s mornings that were decided; its budget is held.',
            mapped.campaign_name, mapped.campaign_id, mapped.code, held.mornings
        ),
        %(advice)s::jsonb ->> 'learning_long',
        null,
        null
    from mapped
    cross join lateral (
        select
            count(distinct decisions.decision_date) as mornings,
            bool_and('learning' = any(decisions.reasons)) as each_time
        from budget_decisions as decisions
        where
            decisions.segment_id = mapped.segment_id
            and decisions.channel = mapped.channel
            and decisions.decision_date between lead_today() - 14 and lead_today() - 1
    ) as held
    where mapped.is_serving and mapped.is_learning and not mapped.is_by_hand and held.each_time and held.mornings >= 12
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
        %(advice)s::jsonb ->> stored.name,
        stored.evidence_date,
        stored.amount
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
            and log.kind <> 'manual'
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
    from (
        select unnest(%(not_steerable)s::text[]) as name
        union all
        values ('shared_budget'), ('learning_long'), ('edit_overwritten')
        union all
        -- Settings that cannot be read compare with nothing, and close nothing.
        select 'currency_mismatch'
        where %(currency)s::text is not null
        union all
        select 'time_zone_mismatch'
        where %(time_zone)s::text is not null
    ) as looked_for
),

{% include 'findings/record_found.sql' %}
