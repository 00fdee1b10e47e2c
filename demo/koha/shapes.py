"""Attributes of each resource with their types: 's' text, 'i' integer, 'n' number, 'b' boolean, 'd' date, 't' date-time; '?'
after it where null is allowed, '!' where the server sets it and a client's value is ignored."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from demo.koha.errors import KohaRefused, malformed


def _of(text: str) -> dict[str, str]:
    return dict(pair.split(":") for pair in text.split())


ITEM = _of(
    "item_id:i! biblio_id:i! external_id:s? acquisition_date:d? acquisition_source:s? bookable:b home_library_id:s? "
    "purchase_price:n? replacement_price:n? replacement_price_date:d? last_checkout_date:d? last_seen_date:t? "
    "not_for_loan_status:i effective_not_for_loan_status:i damaged_status:i damaged_date:s? lost_status:i lost_date:t? "
    "withdrawn:i withdrawn_date:t? callnumber:s? coded_location_qualifier:s? checkouts_count:i? renewals_count:i? "
    "holds_count:i? restricted_status:i? public_notes:s? internal_notes:s? holding_library_id:s? timestamp:t! location:s? "
    "permanent_location:s? checked_out_date:d? call_number_source:s? call_number_sort:s? collection_code:s? "
    "materials_notes:s? uri:s? item_type_id:s? effective_item_type_id:s? extended_subfields:s? serial_issue_number:s? "
    "copy_number:s? inventory_number:s? new_status:s? exclude_from_local_holds_priority:b"
)
PATRON = _of(
    "patron_id:i! cardnumber:s? surname:s? firstname:s? preferred_name:s? middle_name:s? title:s? other_name:s? initials:s? "
    "pronouns:s? street_number:s? street_type:s? address:s? address2:s? city:s? state:s? postal_code:s? country:s? email:s? "
    "phone:s? mobile:s? fax:s? secondary_email:s? secondary_phone:s? altaddress_street_number:s? altaddress_street_type:s? "
    "altaddress_address:s? altaddress_address2:s? altaddress_city:s? altaddress_state:s? altaddress_postal_code:s? "
    "altaddress_country:s? altaddress_email:s? altaddress_phone:s? date_of_birth:d? library_id:s category_id:s "
    "date_enrolled:d? expiry_date:d? date_renewed:d? incorrect_address:b? patron_card_lost:b? restricted:b! staff_notes:s? "
    "relationship_type:s? gender:s? userid:s? opac_notes:s? altaddress_notes:s? statistics_1:s? statistics_2:s? "
    "autorenew_checkouts:b altcontact_firstname:s? altcontact_surname:s? altcontact_address:s? altcontact_address2:s? "
    "altcontact_city:s? altcontact_state:s? altcontact_postal_code:s? altcontact_country:s? altcontact_phone:s? sms_number:s? "
    "sms_provider_id:i? privacy:i privacy_guarantor_checkouts:i privacy_guarantor_fines:b check_previous_checkout:s "
    "updated_on:t! last_seen:t? lang:s login_attempts:i? overdrive_auth_token:s? anonymized:b! protected:b"
)
CHECKOUT = _of(
    "checkout_id:i! patron_id:i item_id:i? due_date:t library_id:s? issuer_id:i? checkin_date:t? last_renewed_date:t? "
    "renewals_count:i? unseen_renewals:i? auto_renew:b auto_renew_error:s? timestamp:s! checkout_date:t onsite_checkout:b "
    "note:s? note_date:d? note_seen:b?"
)
LIBRARY = _of(
    "library_id:s name:s address1:s? address2:s? address3:s? postal_code:s? city:s? state:s? country:s? phone:s? fax:s? "
    "email:s? illemail:s? reply_to_email:s? return_path_email:s? url:s? ip:s? notes:s? geolocation:s? marc_org_code:s? "
    "pickup_location:b public:b"
)
BIBLIO = _of(
    "biblio_id:i! title:s? subtitle:s? author:s? copyright_date:i? notes:s? isbn:s? issn:s? publisher:s? "
    "publication_place:s? pages:s? item_type:s? framework_id:s creation_date:d timestamp:t!"
)
ACTION_LOG = _of(
    "action_id:i! timestamp:t! user:i module:s? action:s? object:i? info:s? interface:s? script:s? trace:s? diff:s?"
)
ITEM_TYPE = _of("item_type_id:s description:s hide_in_opac:b not_for_loan_status:b rentalcharge:n?")
# What a new row has where the client says nothing.
ITEM_DEFAULTS: dict[str, Any] = {
    **dict.fromkeys(("not_for_loan_status", "effective_not_for_loan_status", "damaged_status", "lost_status"), 0),
    **dict.fromkeys(("withdrawn", "checkouts_count", "renewals_count", "holds_count"), 0),
    **{"bookable": False, "exclude_from_local_holds_priority": False},
}
PATRON_DEFAULTS: dict[str, Any] = {
    **{"restricted": False, "anonymized": False, "protected": False, "autorenew_checkouts": True, "privacy": 1},
    **{"privacy_guarantor_checkouts": 0, "privacy_guarantor_fines": False, "check_previous_checkout": "inherit"},
    **{"lang": "default", "login_attempts": 0},
}
CHECKOUT_DEFAULTS: dict[str, Any] = {
    **{"renewals_count": 0, "unseen_renewals": 0, "auto_renew": False, "onsite_checkout": False},
}
EMBEDDED = {
    "item": frozenset(
        "biblio return_claims return_claim cover_image_ids item_group_item serialitem checkout transfer first_hold recall "
        "item_type in_bundle bundle_host bundle_items_lost_count bundle_items_not_lost_count course_item _strings".split()
    ),
    "patron": frozenset("extended_attributes checkouts_count overdues_count account_balance library _strings".split()),
    "checkout": frozenset({"issuer", "item", "library", "patron"}),
    "library": frozenset({"smtp_server", "needs_override", "cash_registers", "desks"}),
}
_TYPES: dict[str, tuple[type, ...]] = {
    **{"s": (str,), "i": (int,), "n": (int, float), "b": (bool,), "d": (str,), "t": (str,)},
}


def names(shape: dict[str, str]) -> frozenset[str]:
    return frozenset(shape)


def check(kind: str, shape: dict[str, str], given: Any, required: tuple[str, ...] = ()) -> dict[str, Any]:
    """The client's values, without those that the server sets. 400 where they break the specification."""
    if not isinstance(given, dict):
        raise malformed(("/body", "Expected object - got something else."))
    faults = [(f"/body/{name}", "Missing property.") for name in required if name not in given]
    out: dict[str, Any] = {}
    for name, value in given.items():
        declared = shape.get(name)
        if declared is None:
            if name not in EMBEDDED.get(kind, ()):
                faults.append((f"/body/{name}", "Properties not allowed."))
            continue
        if not _fits(declared, value):
            faults.append((f"/body/{name}", f"Expected {declared.rstrip('?!')} - got {type(value).__name__}."))
        elif not declared.endswith("!"):
            out[name] = value
    if faults:
        raise malformed(*faults)
    return out


def _fits(declared: str, value: Any) -> bool:
    if value is None:
        return declared.endswith("?")
    kind = declared[0]
    if isinstance(value, bool) != (kind == "b") or not isinstance(value, _TYPES[kind]):
        return False
    if isinstance(value, int) and not -(2**31) <= value < 2**31:
        return False
    try:
        if kind == "d" and isinstance(value, str):
            return len(value) == 10 and bool(date.fromisoformat(value))
        if kind == "t" and isinstance(value, str):
            return len(value) > 10 and datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False
    return True


def whole(shape: dict[str, str], values: dict[str, Any], defaults: dict[str, Any]) -> dict[str, Any]:
    """Every attribute of the shape: the value, else its default, else null."""
    return {name: values.get(name, defaults.get(name)) for name in shape}


def refuse_null(values: dict[str, Any], name: str) -> None:
    if not values.get(name):
        raise KohaRefused(400, f"Missing {name}", "missing_parameter")
