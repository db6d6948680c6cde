#!/usr/bin/env bash
# Whether the component of Airflow that this container runs is alive. Exit code 0: it is.
#
#     healthcheck.sh [COMMAND]      COMMAND: as the container was started, such as "celery worker"; by default its own
set -euo pipefail
command=${1:-$(tr '\0' ' ' </proc/1/cmdline)}
case " $command " in
*" api-server "*)
    exec curl --fail --silent --show-error --max-time 20 --output /dev/null \
        "http://localhost:${AIRFLOW__API__PORT:-8080}/api/v2/monitor/health"
    ;;
*" scheduler "*) # with AIRFLOW__SCHEDULER__ENABLE_HEALTH_CHECK
    exec curl --fail --silent --show-error --max-time 20 --output /dev/null \
        "http://localhost:${AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_SERVER_PORT:-8974}/health"
    ;;
*" dag-processor "*) exec airflow jobs check --job-type DagProcessorJob --local ;;
*" triggerer "*) exec airflow jobs check --job-type TriggererJob --local ;;
*" celery worker "*)
    exec celery --app airflow.providers.celery.executors.celery_executor.app \
        inspect ping --timeout 10 --destination "celery@${HOSTNAME:-$(hostname)}"
    ;;
*) ;; # a command that ends by itself
esac
