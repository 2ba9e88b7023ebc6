"""How often the court for lists is wrong, and how long rankings take."""
