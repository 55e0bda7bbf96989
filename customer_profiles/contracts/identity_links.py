"""The contract of identity_links."""

from __future__ import annotations

from typing import ClassVar

from customer_profiles.contracts.columns import (
    Delivered,
    Pii,
    choice,
    moment,
    text,
)


class IdentityLinks(Delivered):
    """Which cookies, devices and addresses belong to which customer.

    Newest row of a link counts: the one that tells when it was undone, if it was.
    """

    HAPPENED: ClassVar[tuple[str, ...]] = ("linked_at", "unlinked_at")
    VERSIONED: ClassVar[bool] = True

    kind = text("kind of identifier: cookie, device, email, phone, customer", key=True)
    identifier = text("the identifier", key=True, pii=Pii.IDENTIFIER, kind_in="kind")
    customer_id = text("the customer", key=True, pii=Pii.IDENTIFIER)
    linked_at = moment("since when", key=True)
    method = choice("how we know", ("login", "declared", "import"), required=True)
    unlinked_at = moment("until when")
