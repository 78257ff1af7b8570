"""Images: geometry, decoding, budgets, caching, downloads, drawing."""
