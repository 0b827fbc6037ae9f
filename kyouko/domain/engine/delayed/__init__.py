"""Networks that see what their channels held some rows ago: any engine behind a window of rows."""
