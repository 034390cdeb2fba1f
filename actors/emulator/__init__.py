"""A venue that speaks Binance USDⓈ-M futures, on this machine: recorded or generated days, and our orders in them.

The venue has no socket and no clock; times are handed in:

    exchange     the venue: call, advance, due, connect
    market       one instrument: days played into the present, a replay that matches    days  bars  tickers
    desk         orders placed and changed                   rules  order  fills  account  algo  conditional  funding
    streams      connections and what they hear              publishing (the market)  userdata (accounts)
    public  trading  private  positions                      the endpoints, by what they are about
    parameters  keys  limits  answer  endpoints  agenda      how a request is read, known, counted and answered
    settings     accounts, limits, the venue's clock
"""
