"""Networks that find local populations by themselves from the first rows they learned."""
