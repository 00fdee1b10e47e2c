"""The folder where collection management systems leave their exports, and what was received from it."""
