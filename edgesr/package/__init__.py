"""A selected candidate -> an Android app's assets, or a model hub."""
