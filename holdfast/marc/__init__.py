"""MARC as columns: bytes in, Polars frames out, no object a record.

    for block in marc.read_blocks(file):
        frames = marc.read_columns(block)
        frames.records     # a row a record, readable or not
        frames.subfields   # a row a subfield, in the record's order

Shapes are in `holdfast.marc.frames`.
"""

from holdfast.marc.blocks import Block, read_blocks
from holdfast.marc.faults import FAULTS, rejection_of
from holdfast.marc.frames import RECORDS, SUBFIELDS, Frames
from holdfast.marc.iso2709 import read_columns

__all__ = ["FAULTS", "RECORDS", "SUBFIELDS", "Block", "Frames", "read_blocks", "read_columns", "rejection_of"]
