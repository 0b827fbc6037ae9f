"""Where shiori keeps things: entries in a database, tables as blobs, uploads in folders."""
