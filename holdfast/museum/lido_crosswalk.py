"""LIDO as Dublin Core: one function an element, and the table that names them.

Follows the mapping of LIDO to Dublin Core that Europeana's EDM profile and the LIDO specification describe: the event of
production says who, when and of what; other events say where the object was found and who else took part.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from holdfast.museum.dublin_core import DublinCore, clean
from holdfast.museum.lido import Concept, DateSet, Event, LegalBody, Lido, Place, PlaceSet, Rights, Text

# Names of the event type in the languages of LIDO's terminology, and its concepts there and in the AAT.
_MAKING = (
    "production",
    "creation",
    "herstellung",
    "entstehung",
    "producere",
    "design",
    "lido00007",
    "lido00012",
    "300054713",
    "300404387",
)


_RANK = {"preferred": 0, "": 1}


def _texts(texts: Iterable[Text]) -> Iterator[str]:
    """Preferred ones first."""
    yield from (each.value for each in sorted(texts, key=lambda text: _RANK.get(text.pref, 2)))


def _terms(concepts: Iterable[Concept]) -> Iterator[str]:
    for concept in concepts:
        yield from _texts(concept.terms)


def _body(body: LegalBody) -> Iterator[str]:
    yield from list(_texts(body.names))[:1]


def _place(place: Place) -> str:
    """'Edinburg, Scoția': the place, then what it is a part of."""
    names = [next(_texts(place.names), "")] + [_place(each) for each in place.part_of]
    return ", ".join(name for name in names if name)


def _places(places: Iterable[PlaceSet]) -> Iterator[str]:
    for each in places:
        if each.display:
            yield from _texts(each.display)
        elif each.place:
            yield _place(each.place)


def _date(date: DateSet | None) -> Iterator[str]:
    if date is None:
        return
    if date.display:
        yield from _texts(date.display)
    elif date.earliest or date.latest:
        yield date.earliest if date.earliest == date.latest else f"{date.earliest}/{date.latest}"


def _events(lido: Lido) -> Iterator[Event]:
    for block in lido.descriptive:
        yield from (each.event for each in block.events if each.event)


def _is_making(event: Event) -> bool:
    names = [*(text.value for text in event.type.terms), *(each.value for each in event.type.ids)]
    return any(name.rsplit("/", 1)[-1].strip().lower() in _MAKING for name in names)


def _actors(events: Iterable[Event]) -> Iterator[str]:
    for event in events:
        for each in event.actors:
            if each.actor and each.actor.names:
                yield next(_texts(each.actor.names))
            else:
                yield from list(_texts(each.display))[:1]


def _links(lido: Lido) -> Iterator[str]:
    for block in lido.administrative:
        for resource in block.resources:
            yield from (each.link.value for each in resource.representations if each.link)


def _is_address(link: str) -> bool:
    return link.lower().startswith(("http://", "https://")) and not any(c.isspace() for c in link)


def _rights(rights: Iterable[Rights]) -> Iterator[str]:
    for each in rights:
        yield from _terms(each.types)


def identifier(lido: Lido) -> Iterator[str]:
    """lidoRecID first: it is the object's identity; then the inventory numbers and published IDs."""
    yield from (each.value for each in (*lido.rec_ids, *lido.published_ids))
    for block in lido.descriptive:
        for repository in block.identification.repositories:
            yield from _texts(repository.work_ids)


def title(lido: Lido) -> Iterator[str]:
    """One title a language block: of its title sets the preferred one."""
    for block in lido.descriptive:
        sets = sorted(block.identification.titles, key=lambda each: _RANK.get(each.pref, 2))
        yield from [text for each in sets for text in _texts(each.values)][:1]


def alternative(lido: Lido) -> Iterator[str]:
    used = set(title(lido))
    for block in lido.descriptive:
        for each in block.identification.titles:
            yield from (text for text in _texts(each.values) if text not in used)


def creator(lido: Lido) -> Iterator[str]:
    yield from _actors(event for event in _events(lido) if _is_making(event))


def contributor(lido: Lido) -> Iterator[str]:
    yield from _actors(event for event in _events(lido) if not _is_making(event))


def created(lido: Lido) -> Iterator[str]:
    for event in _events(lido):
        if _is_making(event):
            yield from _date(event.date)


def date(lido: Lido) -> Iterator[str]:
    for event in _events(lido):
        if not _is_making(event):
            yield from _date(event.date)


def temporal(lido: Lido) -> Iterator[str]:
    for event in _events(lido):
        yield from _terms((*event.periods, *event.cultures))


def type_(lido: Lido) -> Iterator[str]:
    for block in lido.descriptive:
        yield from _terms(block.classification.work_types)


def subject(lido: Lido) -> Iterator[str]:
    """Classifications and what is shown. Europeana's media type is about the picture, not the object."""
    for block in lido.descriptive:
        yield from _terms(each for each in block.classification.classifications if each.type != "europeana:type")
        for each in block.subjects:
            yield from _terms(each.concepts)
            for texts in (each.display, each.actors, each.events, each.dates):
                yield from _texts(texts)
            yield from _places(each.places)


def description(lido: Lido) -> Iterator[str]:
    for block in lido.descriptive:
        identification = block.identification
        for each in identification.descriptions:
            yield from _texts(each.values)
        for inscription in identification.inscriptions:
            yield from _texts((*inscription.transcriptions, *inscription.descriptions))
        yield from _texts((*identification.display_states, *identification.display_editions))


def medium(lido: Lido) -> Iterator[str]:
    for event in _events(lido):
        for each in event.materials:
            yield from _texts(each.display) if each.display else _terms(each.terms)


def extent(lido: Lido) -> Iterator[str]:
    for block in lido.descriptive:
        for each in block.identification.measurements:
            if each.display:
                yield from _texts(each.display)
            for one in () if each.display else each.measurements:
                yield " ".join((*_texts(one.type), one.value, *_texts(one.unit)))


def spatial(lido: Lido) -> Iterator[str]:
    for event in _events(lido):
        yield from _places(event.places)


def publisher(lido: Lido) -> Iterator[str]:
    """Who keeps the object (repositoryName)."""
    for block in lido.descriptive:
        for each in block.identification.repositories:
            yield from _body(each.body) if each.body else _texts(each.display)


def rights(lido: Lido) -> Iterator[str]:
    """Of the work, then of its pictures, then of the record."""
    for block in lido.administrative:
        yield from _rights(block.rights_work)
        for resource in block.resources:
            yield from _rights(resource.rights)
        yield from _rights(block.record.rights)


def rights_holder(lido: Lido) -> Iterator[str]:
    for block in lido.administrative:
        for each in (*block.rights_work, *(right for resource in block.resources for right in resource.rights)):
            for holder in each.holders:
                yield from _body(holder)


def provenance(lido: Lido) -> Iterator[str]:
    for block in lido.administrative:
        for each in block.rights_work:
            yield from _texts(each.credit_lines)


def source(lido: Lido) -> Iterator[str]:
    for block in lido.administrative:
        for each in block.record.sources:
            yield from _body(each)


def relation(lido: Lido) -> Iterator[str]:
    """Related works, and links to files that are no address of the web."""
    for block in lido.descriptive:
        for each in block.related_works:
            yield from _texts((*each.display, *each.objects))
    yield from (link for link in _links(lido) if not _is_address(link))


def language(lido: Lido) -> Iterator[str]:
    yield from (block.lang for block in lido.descriptive)


CROSSWALK: dict[str, Callable[[Lido], Iterator[str]]] = {
    "identifier": identifier,
    "title": title,
    "alternative": alternative,
    "creator": creator,
    "contributor": contributor,
    "publisher": publisher,
    "created": created,
    "date": date,
    "temporal": temporal,
    "type": type_,
    "subject": subject,
    "description": description,
    "medium": medium,
    "extent": extent,
    "spatial": spatial,
    "rights": rights,
    "rightsHolder": rights_holder,
    "provenance": provenance,
    "source": source,
    "relation": relation,
    "language": language,
}


def image_url(lido: Lido) -> str:
    """The largest picture that says so, else the first."""
    found = [
        (each.type.lower(), each.link.value)
        for block in lido.administrative
        for resource in block.resources
        for each in resource.representations
        if each.link and _is_address(each.link.value)
    ]
    best = [link for kind, link in found if kind in ("image_master", "image_overview", "large", "provided_image")]
    return next(iter(best + [link for _, link in found]), "")


def page_url(lido: Lido) -> str:
    """The record's page at its museum (recordInfoLink)."""
    links = (each.value for block in lido.administrative for each in block.record.links)
    return next((link for link in links if _is_address(link)), "")


def lido_to_dublin_core(lido: Lido) -> DublinCore:
    """Raises:
    pydantic.ValidationError: an element is wrong, as a control character in it; `loc` starts with its name.
    """
    values: dict[str, object] = {element: clean(read(lido)) for element, read in CROSSWALK.items()}
    return DublinCore.model_validate({**values, "image_url": image_url(lido), "page_url": page_url(lido)})
