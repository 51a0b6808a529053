print("paas")
