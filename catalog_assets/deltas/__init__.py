"""Holdings and circulation of the library system, by the day."""
