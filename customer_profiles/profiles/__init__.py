"""The serving table: everything that is known of a customer on a day, in one row."""
