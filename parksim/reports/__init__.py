"""What a person sees of a result: screens, charts, pages, Markdown."""
