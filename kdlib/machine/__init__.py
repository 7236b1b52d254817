"""Where does it run? Devices, processes, sharding, signals, progress."""
