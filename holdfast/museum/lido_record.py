"""One LIDO element as its model: reads what `At` says, finds the XPath of what is wrong."""

from __future__ import annotations

import functools
import types
import typing
from collections.abc import Iterator
from typing import Any, NamedTuple

from lxml import etree
from pydantic import ValidationError

from holdfast.museum.lido import NAMESPACE, At, Lido, LidoModel, Text

_LANG = "{http://www.w3.org/XML/1998/namespace}lang"


class _Step(NamedTuple):
    field: str
    path: tuple[str, ...]  # qualified names of elements; empty for an attribute or the text
    attribute: str  # qualified name; empty for elements and the text
    model: type[LidoModel] | None
    is_many: bool


@functools.cache
def _steps(model: type[LidoModel]) -> tuple[_Step, ...]:
    """How to read each field of `model`, worked out once."""
    steps = []
    for name, hint in typing.get_type_hints(model, include_extras=True).items():
        if name not in model.model_fields:
            continue
        annotation, *metadata = typing.get_args(hint)
        path = next(each.path for each in metadata if isinstance(each, At))
        is_many = typing.get_origin(annotation) is tuple
        inner = typing.get_args(annotation)[0] if is_many or isinstance(annotation, types.UnionType) else annotation
        submodel = inner if isinstance(inner, type) and issubclass(inner, LidoModel) else None
        if path == "@xml:lang":
            steps.append(_Step(name, (), _LANG, None, False))
        elif path.startswith("@"):
            steps.append(_Step(name, (), f"{{{NAMESPACE}}}{path[1:]}", None, False))
        else:
            names = () if path == "." else tuple(f"{{{NAMESPACE}}}{part}" for part in path.split("/"))
            steps.append(_Step(name, names, "", submodel, is_many))
    return tuple(steps)


def _elements(parent: etree._Element, path: tuple[str, ...]) -> Iterator[etree._Element]:
    if len(path) == 1:
        yield from parent.iterchildren(path[0])
    else:
        for child in parent.iterchildren(path[0]):
            yield from _elements(child, path[1:])


def text_of(element: etree._Element) -> str:
    """All text in `element`, outer white space away; line breaks inside stay."""
    return "".join(map(str, element.itertext(with_tail=False))).strip()


def _values(model: type[LidoModel], element: etree._Element, lang: str) -> dict[str, Any]:
    lang = element.get(_LANG) or lang
    values: dict[str, Any] = {}
    for step in _steps(model):
        if step.attribute:
            if value := (
                lang if step.attribute == _LANG and model is Text else element.get(step.attribute, "").strip()
            ):
                values[step.field] = value
        elif not step.path:
            values[step.field] = text_of(element)
        elif step.model is None:
            values[step.field] = next((text_of(each) for each in _elements(element, step.path)), "")
        else:
            found = (_values(step.model, each, lang) for each in _elements(element, step.path))
            # An element without text says nothing: exports are full of empty ones.
            kept = [each for each in found if each.get("value", True)]
            if step.is_many:
                values[step.field] = kept
            elif kept:
                values[step.field] = kept[0]
    return values


def read_lido(element: etree._Element) -> Lido:
    """The model of a `lido:lido` element.

    Raises:
        pydantic.ValidationError: a required element or attribute is missing; see `xpath_of`.
    """
    return Lido.model_validate(_values(Lido, element, ""))


def xpath_of(error: ValidationError) -> tuple[str, str]:
    """The path, below `lido:lido`, of the first fault, and what is wrong there."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    model: type[LidoModel] | None = Lido
    path = ""
    for part in first["loc"]:
        if isinstance(part, int):
            path += f"[{part + 1}]"
            continue
        step = next((each for each in _steps(model) if each.field == part), None) if model else None
        if step is None:
            break
        if step.attribute:
            path += "/@" + ("xml:lang" if step.attribute == _LANG else f"lido:{etree.QName(step.attribute).localname}")
        for name in step.path:
            path += f"/lido:{etree.QName(name).localname}"
        model = step.model
    is_missing = first["type"] in ("missing", "too_short", "string_too_short")
    return path, "is missing or empty" if is_missing else first["msg"]
