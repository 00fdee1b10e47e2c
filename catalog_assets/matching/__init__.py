"""Group `matching`: the catalogue as it is, and each record's place in it."""
