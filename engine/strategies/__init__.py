"""What we want: strategies read the market and propose; they never place an order."""
