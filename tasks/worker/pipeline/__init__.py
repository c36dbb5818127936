"""How claims become deliveries: stages over batches, each with a thread of its own, and no timer between them."""
