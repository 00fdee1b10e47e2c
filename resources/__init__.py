"""The outside world, a folder a thing: `client.py` is a plain object that knows no Dagster, `resource.py` its Dagster face."""
