"""The database: the truth about projects, runs and scenes. Only this package speaks SQL.

`schema` has the tables, `database` the transactions, the others one module of statements for each
kind of row. Every function takes the connection of the transaction it is part of.
"""
