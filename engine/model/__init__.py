"""The nouns every other room speaks. Standard library only; nothing here decides anything."""
