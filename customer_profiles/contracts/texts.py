"""The contract of texts."""

from __future__ import annotations

from typing import ClassVar

from customer_profiles.contracts.columns import (
    Delivered,
    Pii,
    choice,
    free_text,
    moment,
    text,
    whole,
)


class Texts(Delivered):
    """What customers wrote: reviews, service chats, survey answers, posts.

    A text counts once, in its first arrival.
    """

    HAPPENED: ClassVar[tuple[str, ...]] = ("created_at", "resolved_at")

    text_id = text("the text", key=True)
    customer_id = text("who wrote it", required=True, pii=Pii.IDENTIFIER)
    kind = choice("what it is", ("review", "service_chat", "survey", "social_post"), required=True)
    created_at = moment("when it was written", required=True)
    body = free_text("the words", required=True)
    rating = whole("stars given with it", "1 to 5", minimum=1, maximum=5)
    language = text("language, as a BCP 47 tag; told from the script if absent")
    product_id = text("the product that it is about")
    order_id = text("the order that it is about")
    resolved_at = moment("when the complaint was settled")
