"""What happens around a message: capabilities, budgets, receipts and the journal."""
