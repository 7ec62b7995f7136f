"""What is measured, one file a subject: how its process is started, and what runs in it."""
