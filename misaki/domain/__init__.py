"""The rules of identity: no wire, no database, no clock, no cryptography."""
