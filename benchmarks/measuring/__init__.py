"""How the measurements are taken and told: peers in turn, the pairs they work on, the machine, tables and JSON."""
