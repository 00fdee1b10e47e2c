"""What a page's text says: its language, dates, persons and places, each with source, confidence and offsets."""
