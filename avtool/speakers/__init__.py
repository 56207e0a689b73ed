"""People in a video: their face tracks, found once and kept."""
