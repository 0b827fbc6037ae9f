"""The rules of shiori: what a data set is, how an upload goes, what may be read."""
