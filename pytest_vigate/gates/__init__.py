"""The gate language: text with positions, its schema, its rules, and the model of a read gate. Knows no metric."""
