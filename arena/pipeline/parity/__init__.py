"""Two ports of one model compared: `entrants` resolves and scores both, `parity` measures, judges and looks for the cause."""
