"""Records as people read them: a line a field, in one of two styles. Made of columns, without an object a record.

- `line`: as yaz-marcdump writes them: `245 10 $a Title / $c author.`
- `mrk`: MarcEdit's (and the Library of Congress's MARCMaker's) mnemonic form: `=245  10$aTitle /$cauthor.`; blanks of leader,
  control fields and indicators are `\\`, and `$ { } \\` in a value are `{dollar} {lcub} {rcub} {bsol}`.

A control character in a value is shown as a numeric character reference (`&#x1B;`): lines stay lines, and no terminal is
steered.

Sources: YAZ, yaz-marcdump(1); Library of Congress, MARCMaker and MARCBreaker User's Manual.
"""

from __future__ import annotations

import polars as pl

from holdfast.marc.frames import Frames

STYLES = ("line", "mrk")

_CONTROLS = {chr(each): f"&#x{each:02X};" for each in (*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029)}


def to_lines(frames: Frames, style: str = "line") -> pl.DataFrame:
    """Columns record (UInt32) and text (String): the readable records, in order, each with an empty line behind it.

    Raises:
        ValueError: `style` is none of STYLES.
    """
    if style not in STYLES:
        raise ValueError(f"style {style!r}: must be one of {', '.join(STYLES)}")
    records = frames.records.filter(pl.col("fault").is_null()).select("record", "leader")
    rows = frames.subfields.join(records, on="record", how="semi", maintain_order="left")
    place = pl.struct("record", "field")
    rows = rows.with_columns(
        first=(place != place.shift()).fill_null(True),
        last=(place != place.shift(-1)).fill_null(True),
        value=printable(pl.col("value").fill_null("")),
    )
    head, piece = _mnemonic() if style == "mrk" else _plain()
    rows = rows.select(
        "record",
        text=pl.concat_str(
            pl.when("first").then(head).otherwise(pl.lit("")),
            piece,
            pl.when("last").then(pl.lit("\n")).otherwise(pl.lit("")),
        ),
    )
    bodies = rows.group_by("record", maintain_order=True).agg(pl.col("text").str.join(""))
    leader = printable(pl.col("leader"))
    if style == "mrk":
        leader = pl.concat_str(pl.lit("=LDR  "), leader.str.replace_all(" ", "\\", literal=True))
    return records.join(bodies, on="record", how="left", maintain_order="left").select(
        "record", text=pl.concat_str(leader, pl.lit("\n"), pl.col("text").fill_null(""), pl.lit("\n"))
    )


def printable(text: pl.Expr) -> pl.Expr:
    """The text with its control characters and line ends as numeric character references."""
    return (
        pl.when(text.str.contains("[\x00-\x1f\x7f-\u009f\u2028\u2029]"))
        .then(text.str.replace_many(list(_CONTROLS), list(_CONTROLS.values())))
        .otherwise(text)
    )


def _plain() -> tuple[pl.Expr, pl.Expr]:
    """Head of a field, and a subfield."""
    indicators = pl.concat_str(pl.lit(" "), "ind1", "ind2")
    head = pl.concat_str("tag", pl.when(pl.col("ind1").is_null()).then(pl.lit("")).otherwise(indicators))
    coded = pl.concat_str(pl.lit(" $"), "code", pl.lit(" "), "value")
    return head, pl.when(pl.col("code").is_null()).then(pl.concat_str(pl.lit(" "), "value")).otherwise(coded)


def _mnemonic() -> tuple[pl.Expr, pl.Expr]:
    control = pl.col("ind1").is_null()
    indicators = pl.concat_str("ind1", "ind2").str.replace_all(" ", "\\", literal=True)
    head = pl.concat_str(pl.lit("="), "tag", pl.lit("  "), pl.when(control).then(pl.lit("")).otherwise(indicators))
    value = pl.col("value")
    fixed = value.str.replace_many(["\\", "$", "{", "}"], ["{bsol}", "{dollar}", "{lcub}", "{rcub}"])
    blank = fixed.str.replace_all(" ", "\\", literal=True)
    coded = pl.concat_str(pl.lit("$"), "code", fixed)
    return head, pl.when(control).then(blank).when(pl.col("code").is_null()).then(fixed).otherwise(coded)
