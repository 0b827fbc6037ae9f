"""The words that stand for a missing value, in every table that people write."""

# The same as in uploads: an empty cell, and in columns of numbers these words.
GAPS = frozenset(
    ("", "NA", "N/A", "n/a", "#N/A", "NULL", "null", "None", "nan", "NaN", "NAN", "-nan", "-NaN")
)
