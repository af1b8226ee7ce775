"""Running the whole system on one machine: Valkey, Triton and the online services as plain processes."""
