"""Policies that are tables of numbers, trained by the project's own loss: hundreds of seeds as one tensor."""
