"""What messages cost: budgets shared by all processes, leases, and receipts of the charges."""
