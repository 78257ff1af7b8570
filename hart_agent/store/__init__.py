"""Files: atomic writes, journals, Parquet, the model hub's cache."""
