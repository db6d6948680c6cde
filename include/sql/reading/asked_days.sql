-- noqa: disable=all
-- Grain: an expression: on how many days in a row before the day `day` the segment `segment` was asked about, and nobody answered.
-- Why: the same question each morning is one piece of news that grows older, not nine.
(
    select count(*)
    from (
        select
            log.decision_date,
            row_number() over (order by log.decision_date desc) as place
        from channel_orchestration_log as log
        where
            log.segment_id = {{ segment }}
            and log.kind = 'plan'
            and log.error_code = 'approval_expired'
            and log.decision_date between {{ day }} - 60 and {{ day }} - 1
        group by log.decision_date
    ) as unanswered
    where unanswered.decision_date = {{ day }} - unanswered.place::integer
)
