-- The page, which reads as the pipeline, shows the reports of backtests.

set local lock_timeout = '5s';

grant select on public.backtest_results to lead_pipeline;
create policy pipeline_reads on public.backtest_results
for select to lead_pipeline using (true);
