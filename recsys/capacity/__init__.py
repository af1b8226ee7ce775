"""What a day of traffic needs: replicas, nodes, latency and money, simulated before anything is paid for."""
