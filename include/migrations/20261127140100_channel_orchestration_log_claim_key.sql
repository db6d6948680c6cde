-- Replaced by channel_orchestration_log_claimed_key, which leaves out the records of people.

set local lock_timeout = '5s';

-- squawk-ignore ban-drop-constraint
alter table public.channel_orchestration_log drop constraint channel_orchestration_log_claim_key;
