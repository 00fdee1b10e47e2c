"""The museum flow: museum_export → museum_objects → museum_index, by collection × day."""
