"""Which program is next: orders, tenants, ageing, and how much work is expected to remain."""
