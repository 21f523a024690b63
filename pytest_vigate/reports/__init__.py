"""What people and machines read: every report is made of plain dicts, and so of one run record."""
