// replaced by its room
