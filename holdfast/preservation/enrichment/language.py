"""Language of a text with py3langid: 140 languages, a model of 4 MB inside its wheel.

Chosen over lingua (a wheel of some 100 MB, a GB in memory with all models): on the pages of the test data it names German
Fraktur with its reading errors, French of the 17th century and Latin rightly. Limits: a few words are guesswork, so a text
of less than 20 letters stays `und`; a page in two languages gets the one that has more of it.
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import version

from py3langid.langid import MODEL_FILE, LanguageIdentifier

from holdfast.preservation.enrichment.statement import Statement

SOURCE = f"py3langid {version('py3langid')}"
UNDETERMINED = "und"  # BCP 47, RFC 5646 section 4.1
_LETTERS = 20
_SURE = 0.5


@cache
def _identifier() -> LanguageIdentifier:
    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


def identify(text: str) -> tuple[str, float]:
    """(BCP 47 tag, confidence 0 to 1); `und`, 0 where the text is too short or the model is not sure."""
    if sum(character.isalpha() for character in text) < _LETTERS:
        return UNDETERMINED, 0.0
    tag, confidence = _identifier().classify(" ".join(text.split()))
    return (str(tag), round(float(confidence), 4)) if confidence >= _SURE and tag != "zxx" else (UNDETERMINED, 0.0)


def language_statement(text: str) -> Statement:
    tag, confidence = identify(text)
    return Statement("language", "", tag, tag, 0, 0, confidence, SOURCE)
