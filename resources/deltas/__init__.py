"""Holdings and circulation of the library system, read by the day: what was read, and the last states."""
