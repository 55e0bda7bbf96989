"""By which traits customers are parted: habits, not how long or how much we have known them."""

SEGMENTATION_TRAITS: tuple[str, ...] = (
    "sessions_30",
    "product_views_30",
    "shares_90",
    "degree",
    "night_share",
    "morning_share",
    "afternoon_share",
    "evening_share",
    "weekend_share",
    "channel_share_web",
    "channel_share_app",
    "channel_share_mini_program",
    "channel_share_store",
    "channel_share_call_centre",
    "channel_share_email",
    "channel_share_social",
    "orders_90",
    "average_order_minor",
    "items_per_order",
    "discount_share",
    "refund_rate",
    "category_entropy",
    "days_since_last_order",
)
"""Columns of ``features.customer_features``. A trait that is NULL for everybody is left out."""
