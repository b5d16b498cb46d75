"""A server under load: users in a closed loop, what they saw, and what the engine alone can do.

Load --> users, each asks again as soon as it was answered --> Request records --> Figures
"""
