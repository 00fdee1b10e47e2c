"""Recovery: jobs with a form that stop, compare, replay, undo and release. One file a job, named as the job."""
