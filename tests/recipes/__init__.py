"""Recipes, and the models that the pipeline makes."""
