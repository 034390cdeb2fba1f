"""A session played again: its tapes retraced, node by node, and its market traded once more in simulation."""
