// GitReceiver
