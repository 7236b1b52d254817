"""Where does it run? Devices, ranks, sharding, signals and progress."""
