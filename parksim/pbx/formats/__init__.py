"""The forms in which a PBX's log comes: one file for each, and one table of what each can tell (``table.READERS``)."""
