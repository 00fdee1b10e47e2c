"""What the Celery workers are told; dagster_celery.app looks for a module of this name.

The daemon, which sends the runs, has its settings from run_launcher in dagster.yaml.
"""

import os

broker_url = os.environ["HOLDFAST_BROKER_URL"]
result_backend = os.environ["HOLDFAST_RESULTS_URL"]
task_default_queue = "default"

# One run at a time and none in reserve: a run behind a long one would wait although another worker is free.
worker_concurrency = 1
worker_prefetch_multiplier = 1
worker_disable_prefetch = broker_url.startswith("redis")  # RabbitMQ can't: deploy/rabbitmq.conf

# Early: why, is in dagster.yaml beside run_launcher.
task_acks_late = False
# Where a child of the worker is killed the task fails, so that run monitoring sees it.
task_reject_on_worker_lost = False
# The state of a run must outlive it (run_monitoring, max_runtime_seconds): a run without a state counts as dead.
result_expires = 2 * 86400

# A child that has run this many gives its memory back.
worker_max_tasks_per_child = 20
broker_connection_retry_on_startup = True
