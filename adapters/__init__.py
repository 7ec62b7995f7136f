"""One package a platform, all of the same shape. No platform knows of another."""
