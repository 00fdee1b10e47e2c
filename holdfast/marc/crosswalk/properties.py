"""Classes and properties of BIBFRAME 2 by what MARC 21 has: the tables of `vocabulary` from the other side, and what only this way needs.

Source: Library of Congress, MARC 21 to BIBFRAME 2.0 Conversion Specifications (loc.gov/bibframe/mtbf).
"""

from __future__ import annotations

from holdfast.marc.crosswalk.vocabulary import CLASSIFICATIONS, IDENTIFIERS, LINKS, NOTES

VOCABULARY = "http://id.loc.gov/vocabulary/"
WORK_TYPES = {
    "a": ["Text"],
    "c": ["NotatedMusic"],
    "d": ["NotatedMusic", "Manuscript"],
    "e": ["Cartography"],
    "f": ["Cartography", "Manuscript"],
    "g": ["MovingImage"],
    "i": ["NonMusicAudio"],
    "j": ["MusicAudio"],
    "k": ["StillImage"],
    "m": ["Multimedia"],
    "o": ["MixedMaterial"],
    "p": ["MixedMaterial"],
    "r": ["Object"],
    "t": ["Text", "Manuscript"],
}
LEVELS = {
    "c": "Collection",
    "d": "Collection",
    "i": "Integrating",
    "m": "Monograph",
    "a": "Monograph",
    "s": "Serial",
    "b": "Serial",
}
AGENT_CLASSES = {"00": "Person", "10": "Organization", "11": "Meeting"}
SUBJECT_CLASSES = {
    "600": "Person",
    "610": "Organization",
    "611": "Meeting",
    "630": "Hub",
    "648": "Temporal",
    "650": "Topic",
    "651": "Place",
    "655": "GenreForm",
}
SCHEME_CODES = {"0": "lcsh", "1": "lcshac", "2": "mesh", "3": "nal", "5": "cash", "6": "rvm"}
VARIANTS = {
    "0": "portion",
    "2": "distinctive",
    "4": "cover",
    "5": "added title page",
    "6": "caption",
    "7": "running",
    "8": "spine",
}
INSTANCE_TEXTS = {
    "250": "editionStatement",
    "306": "duration",
    "310": "frequency",
    "383": "musicThematicNumber",
    "384": "musicKey",
    "508": "credits",
    "524": "preferredCitation",
    "561": "custodialHistory",
}
WORK_TEXTS = {"505": "tableOfContents", "520": "summary", "521": "intendedAudience"}
NOTE_KINDS = {tag: kind for kind, (tag, _) in reversed(NOTES.items()) if tag != "300"}
CLASSES = {tag: name for name, (tag, _) in CLASSIFICATIONS.items()}
LINK_NAMES = {tag: name for name, (tag, _) in reversed(LINKS.items()) if tag != "510"}
NUMBER_CLASSES = {
    (tag, ind1): name for name, (tag, ind1, _, scheme) in IDENTIFIERS.items() if not scheme and name != "Local"
}
STANDARD_NUMBERS = {scheme: name for name, (_, _, _, scheme) in IDENTIFIERS.items() if scheme}
LANGUAGE_PARTS = {
    "b": "summary",
    "e": "libretto",
    "f": "table of contents",
    "g": "accompanying",
    "h": "original",
    "j": "subtitles",
}
