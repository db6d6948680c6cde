-- Grain: one active segment that no decision of today owns yet.
-- Why: everything the planner must know besides history and limits, and the reasons found here why the budget may not move.
with campaigns as (
    select
        sources.segment_id,
        sources.account,
        budgets.budget_id,
        budgets.amount,
        budgets.campaigns_on_budget,
        budgets.is_budget_limited,
        budgets.is_learning,
        budgets.budget_lost_share,
        budgets.recommended_budget,
        budgets.is_serving,
        budgets.not_serving,
        budgets.not_steerable,
        budgets.currency,
        budgets.time_zone,
        greatest(budgets.changed_at, budgets.budget_moved_at) as changed_at,
        case
            when budgets.budget_moved_at > budgets.changed_at or budgets.changed_at is null then null
            else budgets.changed_by
        end as changed_by,
        -- An experiment pays from the budget of its base campaign and is no further user of it.
        count(*) filter (where budgets.base_campaign_id is null)
            over (partition by sources.segment_id, budgets.budget_id)
            as own_campaigns_on_budget,
        bool_or(budgets.is_budget_limited and budgets.is_serving)
            over (partition by sources.segment_id, budgets.budget_id)
            as is_limited_budget,
        row_number() over (
            partition by sources.segment_id, budgets.budget_id
            order by budgets.is_serving desc, sources.external_id
        ) as place_on_budget
    from channel_sources as sources
    left join channel_budgets as budgets
        on
            sources.channel = budgets.channel
            and sources.account = budgets.account
            and sources.external_id = budgets.campaign_id
            and budgets.dag_run_id = %(dag_run_id)s
    where
        sources.channel = %(channel)s
        and sources.is_active
        and lead_today() between coalesce(sources.valid_from, '-infinity') and coalesce(sources.valid_to, 'infinity')
),

-- What does not add up, on the days that a decision looks at: an account of this channel, or (NULL) what all are decided on.
differing as materialized (
    select distinct
        case
            when findings.channel = %(channel)s and not starts_with(findings.subject, 'lead_generation_stats/')
                then split_part(findings.subject, '/', 1)
        end as account
    from pipeline_findings as findings
    where
        findings.name = 'sums_differ'
        and findings.level = 'stop'
        and findings.resolved_at is null
        and findings.date >= lead_today() - 30
        and findings.channel in (%(channel)s, 'leads', 'partner_capacity')
),

budgets as (
    select
        segment_id,
        -- A campaign that was not read makes the whole sum unknown; one that costs nothing adds nothing.
        case
            when bool_and(budget_id is not null)
                then coalesce(sum(amount) filter (where place_on_budget = 1 and is_serving), 0)
        end as current_budget,
        -- A raise goes to these alone: more money does not bring more where the budget is not the limit.
        sum(amount) filter (where place_on_budget = 1 and is_serving and is_limited_budget) as limited_budget,
        -- Fewer than the segment's own cannot be: then how many it pays for is not known either.
        bool_or(campaigns_on_budget <> own_campaigns_on_budget) filter (where is_serving) as is_shared,
        -- A change is split over all of them, so what is not known of one is not known of the segment. No campaign that
        -- serves has no budget that limits it.
        case
            when bool_and(budget_id is not null) and not bool_or(is_serving) then false
            when bool_and(is_budget_limited is not null) filter (where is_serving)
                then bool_or(is_budget_limited) filter (where is_serving)
        end as is_budget_limited,
        -- The largest: a mean would hide a campaign that misses many searches behind one that misses none, and keep a raise from it.
        -- What is not known of one is not known of the segment.
        case
            when bool_and(budget_lost_share is not null) filter (where is_serving)
                then max(budget_lost_share) filter (where is_serving)
        end as budget_lost_share,
        -- Of a part of its budgets a sum is no recommendation for the segment.
        case
            when bool_and(recommended_budget is not null) filter (where is_serving)
                then sum(recommended_budget) filter (where place_on_budget = 1 and is_serving)
        end as recommended_budget,
        bool_or(is_learning) filter (where is_serving) as is_learning,
        bool_or(budget_id is not null and is_learning is null) filter (where is_serving) as is_learning_unknown,
        case
            when bool_and(budget_id is not null) and not bool_or(is_serving)
                then array_agg(distinct not_serving) filter (where not_serving is not null)
            else array_agg(distinct not_steerable) filter (where is_serving and not_steerable is not null)
        end as not_steered,
        max(changed_at) as changed_at,
        (array_agg(changed_by order by changed_at desc nulls last))[1] as changed_by,
        bool_or(campaigns.currency is distinct from %(currency)s::text and budget_id is not null) as other_currency,
        bool_or(campaigns.time_zone is distinct from %(time_zone)s::text and budget_id is not null) as other_time_zone,
        bool_or(
            exists (
                select 1
                from differing
                where differing.account = campaigns.account
            )
        ) as sums_differ,
        bool_or(
            {%- set channel %}%(channel)s{% endset %}
            {%- set account, day = 'campaigns.account', 'lead_today() - 1' %}
            not {% include 'reading/fetched.sql' %}
        ) as is_stale
    from campaigns
    group by segment_id
),

own_sources as (
    select
        bool_or(
            {%- set channel, account = 'needed.channel', "'leads_db'" %}
            not {% include 'reading/fetched.sql' %}
        )
        -- The last read of the partners failed, though an earlier one of this morning had not.
        or exists (
            select 1
            from pipeline_findings as failed
            where failed.name = 'capacity_source_failed' and failed.resolved_at is null
        ) as is_stale
    from (values ('leads'), ('partner_capacity')) as needed (channel)
),

-- As with the source: one lead makes nothing unknown, though it may be a large part of a small segment's.
unknown_statuses as (
    select segment_id
    from channel_metrics
    where channel = 'leads' and account = 'leads_db' and date between lead_today() - %(lately)s::int and lead_today() - 1
    group by segment_id
    having sum(leads_status_unknown) > greatest(%(most_unknown)s::numeric * sum(leads_generated), 1)
),

-- Where the log and the account's change history tell two stories, neither is believed until a person has looked.
untold as (
    select
        segment_id,
        array_agg(distinct name order by name) as names
    from pipeline_findings
    where
        name in ('change_not_logged', 'change_not_in_history')
        and channel = %(channel)s
        and level = 'stop'
        and resolved_at is null
    group by segment_id
),

-- The log is never deleted from: each segment's last change and open changes are looked up, the whole of it is not read.
changes as (
    select
        segments.id as segment_id,
        (
            select max(log.decision_date)
            from channel_orchestration_log as log
            where
                log.segment_id = segments.id
                and log.channel = %(channel)s
                and log.status = 'success'
                and log.kind <> 'manual'
        ) as last_change_date,
        exists (
            select 1
            from channel_orchestration_log as log
            where
                log.segment_id = segments.id
                and log.channel = %(channel)s
                and log.status = 'pending'
                and log.kind <> 'manual'
        ) as has_open_change
    from lead_segments as segments
)

select
    segments.id::text as segment_id,
    segments.code,
    segments.country,
    segments.branch,
    budgets.current_budget,
    changes.last_change_date,
    stats.capacity_total_leads,
    stats.capacity_absent_leads,
    stats.capacity_absent_week,
    stats.capacity_absent_until,
    case when plans.target_source = 'admin' then plans.target_leads_per_day end as target_override,
    budgets.is_budget_limited as budget_limited,
    budgets.changed_at as budget_changed_at,
    budgets.changed_by as budget_changed_by,
    budgets.limited_budget,
    budgets.budget_lost_share,
    budgets.recommended_budget,
    array_remove(
        array[
            case when not %(is_complete)s then 'settings_missing' end,
            case when %(is_complete)s and %(kill_switch)s then 'kill_switch' end,
            case when budgets.segment_id is null then 'no_campaign' end,
            case when budgets.is_stale or own_sources.is_stale then 'stale_channel' end,
            case
                when budgets.sums_differ or exists (select 1 from differing where differing.account is null)
                    then 'sums_differ'
            end,
            case when budgets.other_currency then 'currency_mismatch' end,
            case when budgets.other_time_zone then 'time_zone_mismatch' end,
            case when unknown_statuses.segment_id is not null then 'lead_status_unknown' end,
            case when changes.has_open_change then 'open_claim' end,
            case when budgets.is_shared then 'shared_budget' end,
            case when budgets.is_learning then 'learning' end,
            case when budgets.is_learning_unknown then 'learning_unknown' end
        ],
        null
    ) || coalesce(untold.names, '{}') || coalesce(budgets.not_steered, '{}') as blocks
from lead_segments as segments
left join budgets on segments.id = budgets.segment_id
left join lead_generation_stats as stats on segments.id = stats.segment_id and stats.date = lead_today() - 1
left join lead_segment_plans as plans on segments.id = plans.segment_id and plans.date = lead_today()
left join unknown_statuses on segments.id = unknown_statuses.segment_id
left join untold on segments.id = untold.segment_id
left join changes on segments.id = changes.segment_id
cross join own_sources
where
    segments.is_active
    and not exists (
        select 1
        from budget_decisions as decisions
        where
            decisions.segment_id = segments.id
            and decisions.channel = %(channel)s
            and decisions.decision_date = lead_today()
            and not decisions.is_blocked
    )
order by segments.code
