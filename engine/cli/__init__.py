"""What a person types and reads. One file a command group; nothing is decided here."""
