"""Small LIDO files, made by what differs in them."""

from __future__ import annotations

RECORD = """
<lido:lido>
 <lido:lidoRecID lido:type="local">{id}</lido:lidoRecID>
 <lido:descriptiveMetadata xml:lang="en">
  <lido:objectClassificationWrap><lido:objectWorkTypeWrap>
   <lido:objectWorkType><lido:term>print</lido:term></lido:objectWorkType>
  </lido:objectWorkTypeWrap></lido:objectClassificationWrap>
  <lido:objectIdentificationWrap><lido:titleWrap><lido:titleSet>
   <lido:appellationValue>{title}</lido:appellationValue>
  </lido:titleSet></lido:titleWrap></lido:objectIdentificationWrap>{more}
 </lido:descriptiveMetadata>
 <lido:administrativeMetadata xml:lang="en"><lido:recordWrap>
  <lido:recordID lido:type="local">r{id}</lido:recordID>
  <lido:recordType><lido:term>item</lido:term></lido:recordType>
  <lido:recordSource><lido:legalBodyName><lido:appellationValue>Museum</lido:appellationValue></lido:legalBodyName></lido:recordSource>
 </lido:recordWrap></lido:administrativeMetadata>
</lido:lido>"""


def record(id: object, title: str = "A title", more: str = "") -> str:
    return RECORD.format(id=id, title=title, more=more)


def wrap(*records: str, before: str = "") -> bytes:
    body = "".join(records)
    return f'{before}<lido:lidoWrap xmlns:lido="http://www.lido-schema.org">{body}\n</lido:lidoWrap>'.encode()
