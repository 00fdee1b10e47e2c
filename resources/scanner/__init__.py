"""Scanners that speak eSCL (AirScan), and the drops that they leave."""
