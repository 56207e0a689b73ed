"""Pictures of values: axes in seconds and Hz, a scale, a title; readable at any length.

Time is reduced while the value streams by, so a day of sound needs no more memory than a minute.
"""
