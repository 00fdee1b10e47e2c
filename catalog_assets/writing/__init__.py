"""Group `writing`: what would be written, and what was."""
