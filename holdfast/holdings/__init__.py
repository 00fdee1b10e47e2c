"""Holdings records and items as columns, what was changed in them, and the statements of MARC holdings records."""
