"""Binance, in this house's words: market data of spot and USD-M futures, and an account's session with the latter.

Words in: `words` (market frames), `market` (as messages), `private` (the account's stream), `answers`, `account` and `filters`
(REST). Words out: `rest` (requests and their signature), `routes` and `feed` (streams). What answers prove: `errors`. Where it
all is: `hosts`. The session without a socket: `session`, of `wire`, `effects`, `prelude`, `orders`, `inquiries`, `stream`,
`hearing`, `roster`, `positions`, `standing` and `safety`.
"""
