"""When records are due, which windows are wanted, what a repository's answer says, and what we lack of it."""
