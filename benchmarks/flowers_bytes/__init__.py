"""What files with fewer bytes cost in accuracy on photos of flowers: the last tables of docs/bytes.md."""
