"""How to do it: client ids, order lifecycle, positions, slippage audit, convergence to targets."""
