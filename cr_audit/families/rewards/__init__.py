"""Rewards fitted with uniform and with clone-robust weights, and which changes are real."""
