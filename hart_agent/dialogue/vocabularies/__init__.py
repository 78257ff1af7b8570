"""Vocabularies: the words of published agents, as data, and all that reads and translates them."""
