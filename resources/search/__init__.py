"""The public search: PostgreSQL, and Elasticsearch where there is one."""
