"""The simulated ADS: what its market issues, the cache of it, and the two SOAP services over it.

`plan` says where the market wants each unit; `dispatches`, `trajectories` and `market` make batches of it; `ledger` keeps them;
`operations` and `responses` answer calls; `documents`, `soap` and `wsdl` are the forms; `app` is ADS over HTTP.
"""
