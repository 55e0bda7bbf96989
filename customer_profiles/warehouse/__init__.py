"""The warehouse: partitions of tables, read lazily and replaced in one transaction."""

from customer_profiles.warehouse.errors import HeldError, WarehouseError
from customer_profiles.warehouse.session import Session
from customer_profiles.warehouse.tables import Table
from customer_profiles.warehouse.warehouse import Warehouse

__all__ = ["HeldError", "Session", "Table", "Warehouse", "WarehouseError"]
