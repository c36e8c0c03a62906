"""The cluster-wide budget: the price of a token, hard limits, accounts, and effort."""
