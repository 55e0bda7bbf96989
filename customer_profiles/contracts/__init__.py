"""The delivered tables: one module each, one contract a table."""

from customer_profiles.contracts.campaign_contacts import CampaignContacts
from customer_profiles.contracts.columns import CIRCUMSTANCES, Delivered, Pii
from customer_profiles.contracts.consents import PURPOSES, Consents
from customer_profiles.contracts.customers import Customers
from customer_profiles.contracts.events import CHANNELS, EVENT_NAMES, Events
from customer_profiles.contracts.identity_links import IdentityLinks
from customer_profiles.contracts.orders import STATUSES, Orders
from customer_profiles.contracts.partner_attributes import PartnerAttributes
from customer_profiles.contracts.products import Products
from customer_profiles.contracts.social_edges import SocialEdges
from customer_profiles.contracts.texts import Texts

CONTRACTS: dict[str, type[Delivered]] = {
    "customers": Customers,
    "consents": Consents,
    "products": Products,
    "events": Events,
    "orders": Orders,
    "texts": Texts,
    "social_edges": SocialEdges,
    "campaign_contacts": CampaignContacts,
    "partner_attributes": PartnerAttributes,
    "identity_links": IdentityLinks,
}

__all__ = [
    "CHANNELS",
    "CIRCUMSTANCES",
    "CONTRACTS",
    "EVENT_NAMES",
    "PURPOSES",
    "STATUSES",
    "Delivered",
    "Pii",
]
