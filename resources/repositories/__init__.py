"""OAI-PMH repositories and SRU servers as sources of windows."""
