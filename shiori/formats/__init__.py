"""Files and tables: IDX and CSV in, Parquet inside, arrays out. Blocks; runs in threads."""
