"""`avtool faces`: who is in a video, and when each speaks."""
