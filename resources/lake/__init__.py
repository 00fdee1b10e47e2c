"""The lake: Parquet by asset and partition, replaced whole."""
