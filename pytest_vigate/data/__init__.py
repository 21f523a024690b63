"""What metrics see: files become tables, tables become datasets. Knows formats, knows no metric."""
