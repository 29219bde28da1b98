"""What must protect us: the account's equity, its daily baseline and what of it is lost."""
