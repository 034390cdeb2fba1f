"""What stands between strategies and the venue, out of their reach: the account's risk node and its door.

`judge` is the node. It asks `states` (may it trade at all), `guard` (age, pace, price, repetition, self-trade, losses; with
`pace` and `equity`), `working` (what may still be filled) and `roster` (whose is what). `limits` names every limit and its unit,
`controls` is what people and hosts may say. `door` lets out what was approved and nothing else; `lease` is the dead man's switch.
"""
