"""Museum exports: prints as CSV, paintings as LIDO 1.1. Real works of art; the inventory numbers are of our own museum.

`prints.csv` ends with two odd rows: one without an inventory number, which is rejected, and one with a date in words that
name no year, which is kept as it is. Of the LIDO objects the last is invalid: it has no record identifier and no administrative metadata.
"""

from __future__ import annotations

from pathlib import Path

from lxml import etree

LIDO = "http://www.lido-schema.org"
XML = "http://www.w3.org/XML/1998/namespace"
XSI = "http://www.w3.org/2001/XMLSchema-instance"
INVALID_OBJECTS = 1
MUSEUM = "Holdfast Demo Museum"
OBJECTS = (  # title, artist, born, died, first year, last year, medium, height and width in cm
    ("Mona Lisa", "Leonardo da Vinci", "1452", "1519", "1503", "1519", "Oil on poplar panel", "77", "53"),
    ("The Birth of Venus", "Botticelli, Sandro", "1445", "1510", "1484", "1486", "Tempera on canvas", "172.5", "278.9"),
    ("The Arnolfini Portrait", "Eyck, Jan van", "1390", "1441", "1434", "1434", "Oil on oak panel", "82.2", "60"),
    ("The Ambassadors", "Holbein, Hans", "1497", "1543", "1533", "1533", "Oil on oak panel", "207", "209.5"),
    ("The Hunters in the Snow", "Bruegel, Pieter", "1525", "1569", "1565", "1565", "Oil on oak panel", "117", "162"),
    ("Las Meninas", "Velázquez, Diego", "1599", "1660", "1656", "1656", "Oil on canvas", "318", "276"),
    ("The Night Watch", "Rembrandt", "1606", "1669", "1642", "1642", "Oil on canvas", "379.5", "453.5"),
    ("Girl with a Pearl Earring", "Vermeer, Johannes", "1632", "1675", "1665", "1665", "Oil on canvas", "44.5", "39"),
    ("The Third of May 1808", "Goya, Francisco de", "1746", "1828", "1814", "1814", "Oil on canvas", "268", "347"),
    ("The Raft of the Medusa", "Géricault, Théodore", "1791", "1824", "1818", "1819", "Oil on canvas", "491", "716"),
    ("The Fighting Temeraire", "Turner, J. M. W.", "1775", "1851", "1838", "1839", "Oil on canvas", "90.7", "121.6"),
    ("Impression, Sunrise", "Monet, Claude", "1840", "1926", "1872", "1872", "Oil on canvas", "48", "63"),
    ("The Starry Night", "Gogh, Vincent van", "1853", "1890", "1889", "1889", "Oil on canvas", "73.7", "92.1"),
)


def prints() -> bytes:
    """The export of the collection `prints`: UTF-8, a header row, lines end with LF."""
    return Path(__file__).with_name("prints.csv").read_bytes()


def objects() -> bytes:
    """The export of the collection `objects`: a lidoWrap."""
    root = etree.Element(f"{{{LIDO}}}lidoWrap", nsmap={"lido": LIDO, "xsi": XSI})
    root.set(f"{{{XSI}}}schemaLocation", f"{LIDO} {LIDO}/schema/v1.1/lido-v1.1.xsd")
    for number, work in enumerate(OBJECTS, 1):
        _object(root, f"HF.OB.{number:04d}", work)
    broken = _add(root, "lido")
    _title(_add(_add(broken, "descriptiveMetadata"), "objectIdentificationWrap"), "Untitled, box 7")
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True)


def _add(parent: etree._Element, name: str, text: str | None = None, **attributes: str) -> etree._Element:
    """A child in LIDO's namespace; its attributes too are LIDO's, but `lang`, which is XML's."""
    child = etree.SubElement(parent, f"{{{LIDO}}}{name}")
    child.text = text
    for key, value in attributes.items():
        child.set(f"{{{XML}}}lang" if key == "lang" else f"{{{LIDO}}}{key}", value)
    return child


def _title(identification: etree._Element, title: str) -> None:
    appellation = _add(_add(identification, "titleWrap"), "titleSet")
    _add(appellation, "appellationValue", title, lang="en")


def _object(root: etree._Element, inventory: str, work: tuple[str, ...]) -> None:
    title, artist, born, died, first, last, medium, height, width = work
    lido = _add(root, "lido")
    _add(lido, "lidoRecID", f"holdfast-demo/{inventory}", type="local", source=MUSEUM)
    description = _add(lido, "descriptiveMetadata", lang="en")
    kind = _add(_add(_add(description, "objectClassificationWrap"), "objectWorkTypeWrap"), "objectWorkType")
    _add(kind, "term", "painting")
    identification = _add(description, "objectIdentificationWrap")
    _title(identification, title)
    repository = _add(_add(identification, "repositoryWrap"), "repositorySet", type="current")
    _add(_add(_add(repository, "repositoryName"), "legalBodyName"), "appellationValue", MUSEUM)
    _add(repository, "workID", inventory, type="inventory number")
    measured = _add(_add(identification, "objectMeasurementsWrap"), "objectMeasurementsSet")
    _add(measured, "displayObjectMeasurements", f"{height} x {width} cm")
    event = _add(_add(_add(description, "eventWrap"), "eventSet"), "event")
    _add(_add(event, "eventType"), "term", "production")
    actor = _add(_add(_add(event, "eventActor"), "actorInRole"), "actor", type="person")
    _add(_add(actor, "nameActorSet"), "appellationValue", artist)
    dates = _add(actor, "vitalDatesActor")
    _add(dates, "earliestDate", born)
    _add(dates, "latestDate", died)
    when = _add(event, "eventDate")
    _add(when, "displayDate", first if first == last else f"{first}-{last}")
    span = _add(when, "date")
    _add(span, "earliestDate", first)
    _add(span, "latestDate", last)
    _add(_add(event, "eventMaterialsTech"), "displayMaterialsTech", medium)
    administrative = _add(lido, "administrativeMetadata", lang="en")
    rights = _add(_add(administrative, "rightsWorkWrap"), "rightsWorkSet")
    _add(_add(rights, "rightsType"), "term", "Public domain")
    record = _add(administrative, "recordWrap")
    _add(record, "recordID", inventory, type="local")
    _add(_add(record, "recordType"), "term", "item")
    source = _add(record, "recordSource")
    _add(_add(source, "legalBodyName"), "appellationValue", MUSEUM)
