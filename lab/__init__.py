"""Real servers on loopback: a Docker engine, registries, Notary. The demo, the tests and the benchmark share them."""
