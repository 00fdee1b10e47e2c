"""When things run: sensors and schedules. They name assets by key and import none."""
