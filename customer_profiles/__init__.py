"""A customer-profile platform: from a retailer's deliveries to profiles, scores and segments."""
