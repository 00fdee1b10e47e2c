"""Group `feeds`: patrons, items and holdings that other systems send, from the folder to the library system."""
