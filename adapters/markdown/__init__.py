"""Agents write Markdown once; here it becomes what each platform understands. Pure, no I/O."""
