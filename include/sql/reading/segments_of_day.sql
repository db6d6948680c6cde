-- noqa: disable=all
-- Grain: one segment that is active, or was decided on, on the bound day and channel.
-- Why: counts, lists and rows of the page speak of the same segments with the same outcome. `outcome`: held, applied, waiting, refused,
-- failed, reverted, pending, dry_run, rejected, expired; NULL = not decided. `part`: person (somebody has to do something), changed, held.
-- `cause`: the reason that a person can do something about, else the first; `finding`: what only a person can end, open today. Target and
-- expectation are those of the week.
select
    judged.*,
    case
        when judged.action is null
            or judged.outcome in ('waiting', 'refused', 'failed')
            or judged.finding is not null
            -- Of a segment without a campaign that a person has switched off nobody wants anything.
            or (
                judged.is_blocked
                and not ('no_campaign' = any(judged.reasons) and (judged.inputs ->> 'is_automated')::boolean is false)
            )
            then 'person'
        when judged.outcome in ('applied', 'pending', 'reverted', 'dry_run') then 'changed'
        else 'held'
    end as part,
    case
        when judged.high < judged.target then 'short'
        when judged.low > judged.target then 'over'
    end as side
from (
    select
        segments.id as segment_id,
        segments.code,
        segments.branch,
        segments.region,
        decided.id as decision_id,
        decided.action,
        decided.is_blocked,
        decided.is_dry_run,
        decided.reasons,
        coalesce(
            (
                select given.code
                from unnest(decided.reasons) with ordinality as given (code, place)
                where given.code = any(%(blocking)s)
                order by given.place
                limit 1
            ),
            decided.reasons[1]
        ) as cause,
        decided.old_budget as old,
        decided.new_budget as new,
        week.target,
        week.expected,
        week.low,
        week.high,
        decided.evaluated_at,
        decided.inputs,
        -- Which were open on a past day is not kept.
        case when %(day)s::date = lead_today() then findings.name end as finding,
        changes.error_code,
        changes.decided_by,
        changes.reverted_at,
        changes.reverted_by,
        changes.log_id,
        case
            when decided.id is null then null
            when decided.action = 'hold' then 'held'
            when decided.is_dry_run then 'dry_run'
            when changes.is_reverted then 'reverted'
            when changes.error_code = 'approval_rejected' then 'rejected'
            when changes.error_code = 'approval_expired' then 'expired'
            when changes.error_code = any(%(refusals)s) then 'refused'
            when changes.has_failed then 'failed'
            when changes.is_open then 'pending'
            when changes.segment_id is not null then 'applied'
            when plans.orchestration_status = 'failed' then 'refused'
            when %(day)s::date < lead_today() then 'expired'
            when plans.orchestration_status = 'waiting_approval' then 'waiting'
            else 'pending'
        end as outcome
    from lead_segments as segments
    left join (
        {%- set which %}
            evaluated.decision_date = %(day)s::date and evaluated.channel = %(channel)s
        {%- endset %}
        {% include 'reading/decisions.sql' %}
    ) as decided on segments.id = decided.segment_id
    left join lateral (
        {% set decision = 'decided' %}{% include 'reading/week.sql' %}
    ) as week on true
    left join lead_segment_plans as plans on segments.id = plans.segment_id and plans.date = %(day)s::date
    left join (
        select
            log.segment_id,
            bool_or(log.status = 'failed') as has_failed,
            bool_or(log.status = 'pending') as is_open,
            bool_and(reverts.id is not null) filter (where log.status = 'success') as is_reverted,
            min(log.error_code) filter (where log.status = 'failed') as error_code,
            min(log.decided_by) as decided_by,
            max(reverts.closed_at) as reverted_at,
            min(coalesce(reverts.decided_by, '')) filter (where reverts.id is not null) as reverted_by,
            -- What one click may offer: the only change of the segment, if it took effect and was not reverted.
            case when count(*) = 1 and bool_and(log.status = 'success' and reverts.id is null) then min(log.id::text) end as log_id
        from channel_orchestration_log as log
        left join lateral (
            {% set change = 'log.id' %}{% include 'reading/undone.sql' %}
        ) as reverts on true
        where
            log.decision_date = %(day)s::date
            and log.channel = %(channel)s
            and log.kind = 'plan'
            and log.error_code is distinct from 'not_of_a_decision'
        group by log.segment_id
    ) as changes on segments.id = changes.segment_id
    left join (
        select
            open_findings.segment_id,
            min(open_findings.name) as name
        from pipeline_findings as open_findings
        where open_findings.level = 'stop' and open_findings.resolved_at is null
        group by open_findings.segment_id
    ) as findings on segments.id = findings.segment_id
    where segments.is_active or decided.id is not null
) as judged
