"""The `akshare` source: live data from public web sites."""
