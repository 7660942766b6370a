"""Screens: which symbols of the market pass a 通达信 formula on a day, and the values that made them pass."""
