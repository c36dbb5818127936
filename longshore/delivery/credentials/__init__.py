"""What requests are given so that their targets take them: access tokens, keys and passwords. Imported where one is."""
