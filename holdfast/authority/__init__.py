"""Authority control: authority records as columns, headings linked to them, and what a new file of them would touch."""
