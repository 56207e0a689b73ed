"""What form a thing has: six forms of one 3D shape, what it is, and its parts."""
