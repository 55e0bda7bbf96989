"""The warehouse: partitions of tables, read lazily and replaced in one transaction."""

from customer_profiles.warehouse.tables import Table
from customer_profiles.warehouse.warehouse import Session, Warehouse, WarehouseError

__all__ = ["Session", "Table", "Warehouse", "WarehouseError"]
