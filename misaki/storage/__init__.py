"""The directory of users and projects in a database."""
