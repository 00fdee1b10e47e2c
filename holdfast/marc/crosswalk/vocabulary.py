"""What stands for what in BIBFRAME 2 and MARC 21. docs/reference/bibframe.md is made from the tables here.

Source: Library of Congress, BIBFRAME to MARC Conversion Specifications (loc.gov/bibframe/bftm): fields, indicators and
subfields as there; where the specifications look something up at id.loc.gov, what the graph says itself is used.
"""

from __future__ import annotations

BF = "http://id.loc.gov/ontologies/bibframe/"
BFLC = "http://id.loc.gov/ontologies/bflc/"
MADS = "http://www.loc.gov/mads/rdf/v1#"
RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
RDFS = "http://www.w3.org/2000/01/rdf-schema#"
PREFIXES = {BF: "bf:", BFLC: "bflc:", MADS: "madsrdf:", RDF: "rdf:", RDFS: "rdfs:"}
# Class of an identifier → tag, first indicator, what stands before the value, $2.
IDENTIFIERS: dict[str, tuple[str, str, str, str]] = {
    "Lccn": ("010", " ", "", ""),
    "Nbn": ("015", " ", "", ""),
    "CopyrightNumber": ("017", " ", "", ""),
    "Isbn": ("020", " ", "", ""),
    "Issn": ("022", " ", "", ""),
    "IssnL": ("023", "0", "", ""),
    "Isrc": ("024", "0", "", ""),
    "Upc": ("024", "1", "", ""),
    "Ismn": ("024", "2", "", ""),
    "Ean": ("024", "3", "", ""),
    "Sici": ("024", "4", "", ""),
    "Doi": ("024", "7", "", "doi"),
    "Hdl": ("024", "7", "", "hdl"),
    "Urn": ("024", "7", "", "urn"),
    "Gtin14Number": ("024", "7", "", "gtin-14"),
    "Isan": ("024", "7", "", "isan"),
    "Istc": ("024", "7", "", "istc"),
    "Iswc": ("024", "7", "", "iswc"),
    "Isni": ("024", "7", "", "isni"),
    "LcOverseasAcq": ("025", " ", "", ""),
    "Fingerprint": ("026", " ", "", ""),
    "Strn": ("027", " ", "", ""),
    "AudioIssueNumber": ("028", "0", "", ""),
    "MatrixNumber": ("028", "1", "", ""),
    "MusicPlate": ("028", "2", "", ""),
    "MusicPublisherNumber": ("028", "3", "", ""),
    "VideoRecordingNumber": ("028", "4", "", ""),
    "PublisherNumber": ("028", "5", "", ""),
    "MusicDistributorNumber": ("028", "6", "", ""),
    "Coden": ("030", " ", "", ""),
    "PostalRegistration": ("032", " ", "", ""),
    "OclcNumber": ("035", " ", "(OCoLC)", ""),
    "Local": ("035", " ", "", ""),
    "StockNumber": ("037", " ", "", ""),
    "ReportNumber": ("088", " ", "", ""),
    "Identifier": ("024", "8", "", ""),
}
# Class → tag and second indicator.
CLASSIFICATIONS = {
    "ClassificationLcc": ("050", "4"),
    "ClassificationNlm": ("060", "4"),
    "ClassificationNal": ("070", " "),
    "ClassificationUdc": ("080", " "),
    "ClassificationDdc": ("082", "4"),
    "Classification": ("084", " "),
}
# Class of a provision activity → second indicator of 264.
PROVISIONS = {"Production": "0", "Publication": "1", "Distribution": "2", "Manufacture": "3"}
# Code of a note type (id.loc.gov/vocabulary/mnotetype) or its words → tag and code; any other is 500 $a.
NOTES = {
    "physical": ("300", "b"),
    "accmat": ("300", "e"),
    "with": ("501", "a"),
    "dissertation": ("502", "a"),
    "biblio": ("504", "a"),
    "credits": ("508", "a"),
    "participants": ("511", "a"),
    "performers": ("511", "a"),
    "report": ("513", "a"),
    "issuance": ("515", "a"),
    "number": ("515", "a"),
    "computer": ("516", "a"),
    "event": ("518", "a"),
    "supplement": ("525", "a"),
    "addphys": ("530", "a"),
    "repro": ("533", "a"),
    "orig": ("534", "n"),
    "loc": ("535", "a"),
    "fund": ("536", "a"),
    "system": ("538", "a"),
    "lang": ("546", "a"),
    "biogdata": ("545", "a"),
    "related": ("580", "a"),
    "index": ("555", "a"),
    "finding": ("555", "a"),
    "award": ("586", "a"),
    "descsource": ("588", "a"),
}
# Work type → leader/06; the first that fits.
MATERIALS = (
    (("NotatedMusic", "Manuscript"), "d"),
    (("NotatedMusic",), "c"),
    (("Cartography", "Manuscript"), "f"),
    (("Cartography",), "e"),
    (("Cartographic",), "e"),
    (("MovingImage",), "g"),
    (("NonMusicAudio",), "i"),
    (("MusicAudio",), "j"),
    (("Audio",), "i"),
    (("StillImage",), "k"),
    (("Multimedia",), "m"),
    (("MixedMaterial",), "p"),
    (("Object",), "r"),
    (("Text", "Manuscript"), "t"),
)
# Class of an agent → last two digits of the tag and first indicator.
AGENTS = {
    "Person": ("00", "1"),
    "Family": ("00", "3"),
    "Organization": ("10", "2"),
    "Jurisdiction": ("10", "1"),
    "Meeting": ("11", "2"),
}
# Class of a subject → tag, and code where it stands behind another one.
SUBJECTS = {
    "Topic": ("650", "x"),
    "Geographic": ("651", "z"),
    "HierarchicalGeographic": ("651", "z"),
    "Place": ("651", "z"),
    "Temporal": ("648", "y"),
    "GenreForm": ("655", "v"),
}
# Scheme → second indicator of 6XX.
SCHEMES = {
    "subjects": "0",
    "lcsh": "0",
    "names": "0",
    "naf": "0",
    "childrensSubjects": "1",
    "lcshac": "1",
    "mesh": "2",
    "nal": "3",
    "cash": "5",
    "rvm": "6",
}
# Property of the Work or Instance with text, or with a labelled resource → tag, indicators, code.
TEXTS: dict[str, tuple[str, str, str]] = {
    "summary": ("520", "  ", "a"),
    "tableOfContents": ("505", "0 ", "a"),
    "intendedAudience": ("521", "  ", "a"),
    "supplementaryContent": ("504", "  ", "a"),
    "editionStatement": ("250", "  ", "a"),
    "frequency": ("310", "  ", "a"),
    "duration": ("306", "  ", "a"),
    "credits": ("508", "  ", "a"),
    "custodialHistory": ("561", "  ", "a"),
    "musicMedium": ("382", "  ", "a"),
    "musicKey": ("384", "  ", "a"),
    "musicThematicNumber": ("383", "  ", "c"),
    "scale": ("255", "  ", "a"),
    "originDate": ("046", "  ", "k"),
    "baseMaterial": ("340", "  ", "a"),
    "generation": ("340", "  ", "j"),
    "colorContent": ("340", "  ", "g"),
    "polarity": ("340", "  ", "o"),
    "notation": ("546", "  ", "b"),
    "arrangement": ("351", "  ", "a"),
    "preferredCitation": ("524", "  ", "a"),
    "firstIssue": ("362", "1 ", "a"),
    "acquisitionSource": ("037", "  ", "b"),
    "musicFormat": ("348", "  ", "a"),
    "seriesStatement": ("490", "0 ", "a"),
    "natureOfContent": ("513", "  ", "a"),
    "contentAccessibility": ("532", "8 ", "a"),
    "immediateAcquisition": ("541", "  ", "a"),
}
SOUND = {
    "RecordingMethod": "a",
    "RecordingMedium": "b",
    "PlayingSpeed": "c",
    "GrooveCharacteristic": "d",
    "TrackConfig": "e",
    "TapeConfig": "f",
    "PlaybackChannels": "g",
    "PlaybackCharacteristic": "h",
    "CaptureStorage": "i",
}
DIGITAL = {
    "FileType": "a",
    "EncodingFormat": "b",
    "FileSize": "c",
    "Resolution": "d",
    "RegionalEncoding": "e",
    "EncodedBitrate": "f",
}
# Property whose object is another resource → linking field and second indicator.
LINKS = {
    "translationOf": ("765", " "),
    "supplementTo": ("772", " "),
    "supplement": ("770", " "),
    "accompaniedBy": ("777", " "),
    "issuedWith": ("777", " "),
    "otherEdition": ("775", " "),
    "otherPhysicalFormat": ("776", " "),
    "hasReproduction": ("776", " "),
    "reproductionOf": ("776", " "),
    "precededBy": ("780", "0"),
    "continues": ("780", "0"),
    "succeededBy": ("785", "0"),
    "continuedBy": ("785", "0"),
    "dataSource": ("786", " "),
    "relatedTo": ("787", " "),
    "references": ("787", " "),
    "indexedIn": ("510", " "),
}
# Code of a relationship (id.loc.gov/vocabulary/relationship) → likewise.
RELATIONSHIPS = {name.lower(): place for name, place in LINKS.items()} | {
    "absorptionof": ("780", "5"),
    "absorbed": ("780", "5"),
    "absorptioninpartof": ("780", "6"),
    "mergerof": ("780", "4"),
    "continuesinpart": ("780", "1"),
    "separatedfrom": ("780", "7"),
    "absorbedby": ("785", "4"),
    "absorbedinpartby": ("785", "5"),
    "continuedinpartby": ("785", "1"),
    "splitinto": ("785", "6"),
    "mergedtoform": ("785", "7"),
    "reproduction": ("776", " "),
    "translatedas": ("767", " "),
    "translation": ("767", " "),
    "subseries": ("762", " "),
    "mainseries": ("760", " "),
}
# Sub-tag of a language tag (ISO 15924) → identification of the script in $6.
SCRIPTS = {"arab": "(3", "cyrl": "(N", "grek": "(S", "hebr": "(2"} | dict.fromkeys(
    ("hani", "hans", "hant", "jpan", "kore", "hira", "kana", "hang"), "$1"
)
VARIANT_KINDS = {
    "por": "0",
    "portion": "0",
    "parallel": "1",
    "par": "1",
    "dis": "2",
    "distinctive": "2",
    "cov": "4",
    "cover": "4",
    "atp": "5",
    "added title page": "5",
    "cap": "6",
    "caption": "6",
    "run": "7",
    "running": "7",
    "spi": "8",
    "spine": "8",
}
RDA = {"336": "rdacontent", "337": "rdamedia", "338": "rdacarrier"}
