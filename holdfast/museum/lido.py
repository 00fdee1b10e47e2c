"""LIDO 1.1 as models: the elements that describe, date, place and picture an object, with their languages.

Lightweight Information Describing Objects 1.1, http://www.lido-schema.org/schema/v1.1/lido-v1.1.html; 1.0 has the same
namespace and is read by the same models. Every field says with `At` where in its parent it stands, so that a model is
also the way to read it and a fault has an XPath. What LIDO requires is required here: a record ID, a work type, a title
and an identified record a language block at least.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

NAMESPACE = "http://www.lido-schema.org"


@dataclass(frozen=True)
class At:
    """Where a field stands: 'titleWrap/titleSet' are elements of LIDO, '@type' an attribute, '.' the text itself."""

    path: str


class LidoModel(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Text(LidoModel):
    """textComplexType, termComplexType, appellationValue; `lang` is inherited from the element around it."""

    value: Annotated[str, At(".")]
    lang: Annotated[str, At("@xml:lang")] = ""
    label: Annotated[str, At("@label")] = ""
    type: Annotated[str, At("@type")] = ""
    pref: Annotated[str, At("@pref")] = ""


class Identifier(LidoModel):
    """identifierComplexType, workID."""

    value: Annotated[str, At("."), Field(min_length=1)]
    type: Annotated[str, At("@type")] = ""
    source: Annotated[str, At("@source")] = ""


class Concept(LidoModel):
    """conceptComplexType: IDs in a vocabulary, terms in languages."""

    ids: Annotated[tuple[Identifier, ...], At("conceptID")] = ()
    terms: Annotated[tuple[Text, ...], At("term")] = ()
    type: Annotated[str, At("@type")] = ""


class DateSet(LidoModel):
    """dateSetComplexType: eventDate."""

    display: Annotated[tuple[Text, ...], At("displayDate")] = ()
    earliest: Annotated[str, At("date/earliestDate")] = ""
    latest: Annotated[str, At("date/latestDate")] = ""


class Actor(LidoModel):
    """actorComplexType."""

    type: Annotated[str, At("@type")] = ""
    ids: Annotated[tuple[Identifier, ...], At("actorID")] = ()
    names: Annotated[tuple[Text, ...], At("nameActorSet/appellationValue")] = ()
    nationalities: Annotated[tuple[Concept, ...], At("nationalityActor")] = ()
    born: Annotated[str, At("vitalDatesActor/earliestDate")] = ""
    died: Annotated[str, At("vitalDatesActor/latestDate")] = ""


class ActorInRole(LidoModel):
    """actorInRoleSetComplexType: eventActor."""

    display: Annotated[tuple[Text, ...], At("displayActorInRole")] = ()
    actor: Annotated[Actor | None, At("actorInRole/actor")] = None
    roles: Annotated[tuple[Concept, ...], At("actorInRole/roleActor")] = ()
    attribution: Annotated[tuple[Text, ...], At("actorInRole/attributionQualifierActor")] = ()


class Place(LidoModel):
    """placeComplexType, with the places that it is a part of."""

    ids: Annotated[tuple[Identifier, ...], At("placeID")] = ()
    names: Annotated[tuple[Text, ...], At("namePlaceSet/appellationValue")] = ()
    part_of: Annotated[tuple[Place, ...], At("partOfPlace")] = ()


class PlaceSet(LidoModel):
    """placeSetComplexType: eventPlace, subjectPlace."""

    type: Annotated[str, At("@type")] = ""
    display: Annotated[tuple[Text, ...], At("displayPlace")] = ()
    place: Annotated[Place | None, At("place")] = None


class MaterialsTech(LidoModel):
    """materialsTechSetComplexType: eventMaterialsTech."""

    display: Annotated[tuple[Text, ...], At("displayMaterialsTech")] = ()
    terms: Annotated[tuple[Concept, ...], At("materialsTech/termMaterialsTech")] = ()


class Event(LidoModel):
    """eventComplexType: what happened to the object, by whom, when, where and of what."""

    type: Annotated[Concept, At("eventType")]
    ids: Annotated[tuple[Identifier, ...], At("eventID")] = ()
    names: Annotated[tuple[Text, ...], At("eventName/appellationValue")] = ()
    actors: Annotated[tuple[ActorInRole, ...], At("eventActor")] = ()
    cultures: Annotated[tuple[Concept, ...], At("culture")] = ()
    date: Annotated[DateSet | None, At("eventDate")] = None
    periods: Annotated[tuple[Concept, ...], At("periodName")] = ()
    places: Annotated[tuple[PlaceSet, ...], At("eventPlace")] = ()
    methods: Annotated[tuple[Concept, ...], At("eventMethod")] = ()
    materials: Annotated[tuple[MaterialsTech, ...], At("eventMaterialsTech")] = ()
    descriptions: Annotated[tuple[Text, ...], At("eventDescriptionSet/descriptiveNoteValue")] = ()


class EventSet(LidoModel):
    display: Annotated[tuple[Text, ...], At("displayEvent")] = ()
    event: Annotated[Event | None, At("event")] = None


class Classification(LidoModel):
    """objectClassificationWrap."""

    work_types: Annotated[tuple[Concept, ...], At("objectWorkTypeWrap/objectWorkType"), Field(min_length=1)]
    classifications: Annotated[tuple[Concept, ...], At("classificationWrap/classification")] = ()


class TitleSet(LidoModel):
    values: Annotated[tuple[Text, ...], At("appellationValue"), Field(min_length=1)]
    type: Annotated[str, At("@type")] = ""
    pref: Annotated[str, At("@pref")] = ""


class LegalBody(LidoModel):
    """legalBodyRefComplexType."""

    ids: Annotated[tuple[Identifier, ...], At("legalBodyID")] = ()
    names: Annotated[tuple[Text, ...], At("legalBodyName/appellationValue")] = ()
    links: Annotated[tuple[Text, ...], At("legalBodyWeblink")] = ()


class Repository(LidoModel):
    """repositorySet: who keeps the object, and its inventory number there."""

    type: Annotated[str, At("@type")] = ""
    display: Annotated[tuple[Text, ...], At("displayRepository")] = ()
    body: Annotated[LegalBody | None, At("repositoryName")] = None
    work_ids: Annotated[tuple[Text, ...], At("workID")] = ()
    location: Annotated[Place | None, At("repositoryLocation")] = None


class DescriptionSet(LidoModel):
    type: Annotated[str, At("@type")] = ""
    values: Annotated[tuple[Text, ...], At("descriptiveNoteValue")] = ()


class Inscription(LidoModel):
    type: Annotated[str, At("@type")] = ""
    transcriptions: Annotated[tuple[Text, ...], At("inscriptionTranscription")] = ()
    descriptions: Annotated[tuple[Text, ...], At("inscriptionDescription/descriptiveNoteValue")] = ()


class Measurement(LidoModel):
    """measurementsSet: type, unit and value as written."""

    type: Annotated[tuple[Text, ...], At("measurementType")] = ()
    unit: Annotated[tuple[Text, ...], At("measurementUnit")] = ()
    value: Annotated[str, At("measurementValue")] = ""


class MeasurementsSet(LidoModel):
    display: Annotated[tuple[Text, ...], At("displayObjectMeasurements")] = ()
    measurements: Annotated[tuple[Measurement, ...], At("objectMeasurements/measurementsSet")] = ()


class Identification(LidoModel):
    """objectIdentificationWrap."""

    titles: Annotated[tuple[TitleSet, ...], At("titleWrap/titleSet"), Field(min_length=1)]
    inscriptions: Annotated[tuple[Inscription, ...], At("inscriptionsWrap/inscriptions")] = ()
    repositories: Annotated[tuple[Repository, ...], At("repositoryWrap/repositorySet")] = ()
    display_states: Annotated[tuple[Text, ...], At("displayStateEditionWrap/displayState")] = ()
    display_editions: Annotated[tuple[Text, ...], At("displayStateEditionWrap/displayEdition")] = ()
    descriptions: Annotated[tuple[DescriptionSet, ...], At("objectDescriptionWrap/objectDescriptionSet")] = ()
    measurements: Annotated[tuple[MeasurementsSet, ...], At("objectMeasurementsWrap/objectMeasurementsSet")] = ()


class Subject(LidoModel):
    """subjectSet: what the object shows or is about."""

    display: Annotated[tuple[Text, ...], At("displaySubject")] = ()
    concepts: Annotated[tuple[Concept, ...], At("subject/subjectConcept")] = ()
    actors: Annotated[tuple[Text, ...], At("subject/subjectActor/actor/nameActorSet/appellationValue")] = ()
    places: Annotated[tuple[PlaceSet, ...], At("subject/subjectPlace")] = ()
    events: Annotated[tuple[Text, ...], At("subject/subjectEvent/displayEvent")] = ()
    dates: Annotated[tuple[Text, ...], At("subject/subjectDate/displayDate")] = ()


class RelatedWork(LidoModel):
    display: Annotated[tuple[Text, ...], At("displayRelatedWork")] = ()
    objects: Annotated[tuple[Text, ...], At("relatedWork/displayObject")] = ()


class DescriptiveMetadata(LidoModel):
    """descriptiveMetadata: one a language of the description."""

    lang: Annotated[str, At("@xml:lang"), Field(min_length=1)]
    classification: Annotated[Classification, At("objectClassificationWrap")]
    identification: Annotated[Identification, At("objectIdentificationWrap")]
    events: Annotated[tuple[EventSet, ...], At("eventWrap/eventSet")] = ()
    subjects: Annotated[tuple[Subject, ...], At("objectRelationWrap/subjectWrap/subjectSet")] = ()
    related_works: Annotated[tuple[RelatedWork, ...], At("objectRelationWrap/relatedWorksWrap/relatedWorkSet")] = ()


class Rights(LidoModel):
    """rightsComplexType."""

    types: Annotated[tuple[Concept, ...], At("rightsType")] = ()
    holders: Annotated[tuple[LegalBody, ...], At("rightsHolder")] = ()
    credit_lines: Annotated[tuple[Text, ...], At("creditLine")] = ()


class RecordWrap(LidoModel):
    """recordWrap: the record about the object."""

    ids: Annotated[tuple[Identifier, ...], At("recordID"), Field(min_length=1)]
    type: Annotated[Concept, At("recordType")]
    sources: Annotated[tuple[LegalBody, ...], At("recordSource"), Field(min_length=1)]
    rights: Annotated[tuple[Rights, ...], At("recordRights")] = ()
    links: Annotated[tuple[Text, ...], At("recordInfoSet/recordInfoLink")] = ()


class Representation(LidoModel):
    """resourceRepresentation: one file of a picture."""

    type: Annotated[str, At("@type")] = ""
    link: Annotated[Text | None, At("linkResource")] = None


class Resource(LidoModel):
    """resourceSet: a picture or another digital surrogate."""

    ids: Annotated[tuple[Identifier, ...], At("resourceID")] = ()
    representations: Annotated[tuple[Representation, ...], At("resourceRepresentation")] = ()
    types: Annotated[tuple[Concept, ...], At("resourceType")] = ()
    rights: Annotated[tuple[Rights, ...], At("rightsResource")] = ()


class AdministrativeMetadata(LidoModel):
    """administrativeMetadata: one a language."""

    lang: Annotated[str, At("@xml:lang"), Field(min_length=1)]
    record: Annotated[RecordWrap, At("recordWrap")]
    rights_work: Annotated[tuple[Rights, ...], At("rightsWorkWrap/rightsWorkSet")] = ()
    resources: Annotated[tuple[Resource, ...], At("resourceWrap/resourceSet")] = ()


class Lido(LidoModel):
    """lido: one object."""

    rec_ids: Annotated[tuple[Identifier, ...], At("lidoRecID"), Field(min_length=1)]
    published_ids: Annotated[tuple[Identifier, ...], At("objectPublishedID")] = ()
    category: Annotated[Concept | None, At("category")] = None
    descriptive: Annotated[tuple[DescriptiveMetadata, ...], At("descriptiveMetadata"), Field(min_length=1)]
    administrative: Annotated[tuple[AdministrativeMetadata, ...], At("administrativeMetadata"), Field(min_length=1)]
