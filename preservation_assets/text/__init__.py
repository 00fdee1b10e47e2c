"""From masters to text and what it says."""
