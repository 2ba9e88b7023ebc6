"""Boards beside other rankers, and whether intervals and chances hold."""
